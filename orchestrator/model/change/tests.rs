//! Tests of changes: each fault that a careless mutation has, and the way back.

use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::model::{
    Assessments, BacklogFile, BacklogItem, BlockType, Description, Ended, IdQuery, ItemStatus,
    Level, PhasePool, ResultCode, Size, StructuredDescription,
};

fn item(id: &str, status: ItemStatus) -> BacklogItem {
    BacklogItem {
        id: Some(id.into()),
        title: format!("Title of {id}"),
        status,
        ..BacklogItem::default()
    }
}

fn file(items: impl IntoIterator<Item = BacklogItem>) -> BacklogFile {
    let items = items.into_iter().map(Arc::new).collect();
    let mut file = BacklogFile { items, ..BacklogFile::default() };
    file.next_item_id = file.highest_number();
    file
}

fn run(file: &mut BacklogFile, change: Change) -> Result<Applied, ChangeError> {
    let rules = Rules::default();
    let archived = |id: &str| (id == "WRK-900").then_some(Ended::Done);
    let context = Context { rules: &rules, now: Timestamp::UNIX_EPOCH, archived: &archived };
    let before = file.clone();
    let outcome = apply(file, &change, &context);
    match &outcome {
        Err(_) => assert_eq!(*file, before, "a refused change leaves the file as it was"),
        Ok(applied) => {
            let mut back = file.clone();
            revert(&mut back, &applied.deltas);
            assert_eq!(back, before, "a change can be taken back");
        }
    }
    outcome
}

fn q(id: &str) -> IdQuery {
    IdQuery::new(id)
}

#[test]
fn archiving_the_highest_item_does_not_bring_its_number_back() {
    let mut file = file([item("WRK-001", ItemStatus::Done)]);
    run(&mut file, Change::ArchiveDone).unwrap();
    let added = run(&mut file, Change::Add(vec![NewItem::titled("next")])).unwrap();
    assert_eq!(added.added[0].id.as_deref(), Some("WRK-002"));
    assert_eq!(file.next_item_id, 2);
}

#[test]
fn open_items_are_archived_only_with_a_reason() {
    let mut file = file([item("WRK-001", ItemStatus::Ready)]);
    let change = |reason: Option<&str>| Change::Archive {
        items: vec![q("1")],
        reason: reason.map(Into::into),
    };
    assert!(matches!(run(&mut file, change(None)), Err(ChangeError::NotDone { .. })));
    let applied = run(&mut file, change(Some("not wanted"))).unwrap();
    assert_eq!(applied.removed[0].ended, Ended::Dropped);
    assert!(file.items.is_empty());
}

#[test]
fn an_archived_item_is_told_as_archived() {
    let change = Change::Done { item: q("WRK-900") };
    assert!(matches!(
        run(&mut file([]), change),
        Err(ChangeError::Archived { ended: Ended::Done, .. })
    ));
}

#[test]
fn duplicates_are_refused_and_renumbered() {
    let mut file = file([item("WRK-001", ItemStatus::New), item("WRK-1", ItemStatus::New)]);
    let error = run(&mut file, Change::Done { item: q("WRK-001") }).unwrap_err();
    assert!(matches!(error, ChangeError::DuplicateId { indexes, .. } if indexes == [0, 1]));
    run(&mut file, Change::Renumber).unwrap();
    assert_eq!(file.items[1].id.as_deref(), Some("WRK-002"));
    assert_eq!(file.next_item_id, 2);
}

#[test]
fn hand_written_items_get_their_ids_in_file_order() {
    let mut file = file([item("WRK-004", ItemStatus::New)]);
    file.items.insert(0, Arc::new(BacklogItem { title: "a".into(), ..BacklogItem::default() }));
    file.items.push(Arc::new(BacklogItem { title: "b".into(), ..BacklogItem::default() }));
    run(&mut file, Change::AssignIds).unwrap();
    let ids: Vec<_> = file.items.iter().map(|item| item.id_or_dash()).collect();
    assert_eq!(ids, ["WRK-005", "WRK-004", "WRK-006"]);
    assert!(file.items[0].created.is_some() && file.items[1].updated.is_none());
}

#[test]
fn an_untouched_item_keeps_its_date() {
    let mut file = file([item("WRK-001", ItemStatus::New)]);
    let patch = ItemPatch { title: Some("Title of WRK-001".into()), ..ItemPatch::default() };
    let applied = run(&mut file, Change::Update { item: q("1"), patch }).unwrap();
    assert!(applied.deltas.is_empty() && file.items[0].updated.is_none());
}

#[test]
fn dependencies_must_exist_and_go_in_no_circle() {
    let mut file = file([item("WRK-001", ItemStatus::New), item("WRK-002", ItemStatus::New)]);
    let update = |id: &str, dep: &str| Change::Update {
        item: q(id),
        patch: ItemPatch { dependencies: vec![ListEdit::Add(dep.into())], ..ItemPatch::default() },
    };
    run(&mut file, update("1", "wrk-2")).unwrap();
    assert_eq!(file.items[0].dependencies, ["WRK-002"]);
    assert!(matches!(run(&mut file, update("2", "1")), Err(ChangeError::Cycle { .. })));
    assert!(matches!(run(&mut file, update("2", "77")), Err(ChangeError::NoSuchItem { .. })));
    run(&mut file, update("2", "WRK-900")).unwrap();
}

#[test]
fn merging_keeps_everything_of_the_source() {
    let mut source = item("WRK-002", ItemStatus::New);
    source.tags = vec!["x".into()];
    source.impact = Some(Level::High);
    source.dependencies = vec!["WRK-001".into(), "WRK-003".into()];
    let parts = StructuredDescription {
        solution: Some("do it".into()),
        ..StructuredDescription::default()
    };
    source.description = Some(Description::Structured(Box::new(parts)));
    let mut dependent = item("WRK-004", ItemStatus::New);
    dependent.dependencies = vec!["WRK-2".into()];
    let mut file = file([
        item("WRK-001", ItemStatus::New),
        source,
        item("WRK-003", ItemStatus::New),
        dependent,
    ]);
    let applied = run(&mut file, Change::Merge { source: q("2"), target: q("1") }).unwrap();
    assert_eq!(applied.removed[0].item.id.as_deref(), Some("WRK-002"));
    let target = file.get("WRK-001").unwrap();
    assert_eq!((target.impact, target.tags.as_slice()), (Some(Level::High), &["x".to_owned()][..]));
    assert_eq!(target.dependencies, ["WRK-003"]);
    let text = target.description.as_ref().unwrap().to_text();
    assert!(
        text.contains("Merged from WRK-002: Title of WRK-002") && text.contains("solution: do it"),
        "{text}"
    );
    assert_eq!(file.get("WRK-004").unwrap().dependencies, ["WRK-001"]);
}

#[test]
fn a_merge_that_closes_a_circle_is_refused() {
    let mut target = item("WRK-001", ItemStatus::New);
    target.dependencies = vec!["WRK-003".into()];
    let mut between = item("WRK-003", ItemStatus::New);
    between.dependencies = vec!["WRK-002".into()];
    let mut file = file([target, item("WRK-002", ItemStatus::New), between]);
    let error = run(&mut file, Change::Merge { source: q("2"), target: q("1") }).unwrap_err();
    assert!(matches!(error, ChangeError::Cycle { .. }));
}

#[test]
fn a_hand_blocked_item_can_be_unblocked() {
    let mut file = file([item("WRK-001", ItemStatus::Blocked)]);
    let applied =
        run(&mut file, Change::Unblock { item: q("1"), notes: Some("go".into()) }).unwrap();
    assert_eq!(file.items[0].status, ItemStatus::New);
    assert_eq!(applied.notes.len(), 1);
    assert_eq!(file.items[0].unblock_context.as_deref(), Some("go"));
}

fn completion(id: &str, phase: &str, result: ResultCode) -> PhaseCompletion {
    PhaseCompletion {
        id: id.into(),
        phase: phase.into(),
        result,
        summary: "because".into(),
        assessments: Assessments::default(),
        follow_ups: Vec::new(),
        duplicates: Vec::new(),
        description: None,
        pipeline_type: None,
        requires_human_review: false,
        commit: None,
        seen: None,
    }
}

fn complete(file: &mut BacklogFile, completion: PhaseCompletion) -> Applied {
    run(file, Change::CompletePhase(Box::new(completion))).unwrap()
}

#[test]
fn an_item_goes_through_its_pipeline() {
    let mut file = file([item("WRK-001", ItemStatus::New)]);
    complete(&mut file, completion("WRK-001", PhaseCompletion::TRIAGE, ResultCode::PhaseComplete));
    assert_eq!(file.items[0].status, ItemStatus::Scoping);
    assert_eq!(file.items[0].phase_pool, Some(PhasePool::Pre));
    complete(&mut file, completion("WRK-001", "research", ResultCode::PhaseComplete));
    assert_eq!((file.items[0].status, file.items[0].phase.as_deref()), (ItemStatus::Ready, None));
    run(&mut file, Change::Advance { item: q("1"), to: None }).unwrap();
    for phase in ["prd", "tech-research", "design", "spec", "build", "review"] {
        assert_eq!(
            (file.items[0].status, file.items[0].phase.as_deref()),
            (ItemStatus::InProgress, Some(phase))
        );
        complete(&mut file, completion("WRK-001", phase, ResultCode::SubphaseComplete));
        complete(&mut file, completion("WRK-001", phase, ResultCode::PhaseComplete));
    }
    assert_eq!(file.items[0].status, ItemStatus::Done);
}

#[test]
fn guardrails_block_and_consent_lasts() {
    let mut file = file([item("WRK-001", ItemStatus::New)]);
    run(&mut file, Change::Advance { item: q("1"), to: None }).unwrap();
    let mut risky = completion("WRK-001", "research", ResultCode::PhaseComplete);
    risky.assessments.risk = Some(Level::High);
    complete(&mut file, risky);
    assert_eq!(file.items[0].status, ItemStatus::Blocked);
    assert!(file.items[0].blocked_reason.as_ref().unwrap().contains("risk high is above low"));
    run(&mut file, Change::Unblock { item: q("1"), notes: None }).unwrap();
    assert_eq!(file.items[0].status, ItemStatus::Ready);
    assert!(file.items[0].approved.is_some());
}

#[test]
fn an_answer_to_a_question_is_no_consent() {
    for kind in [None, Some(BlockType::Clarification), Some(BlockType::Decision)] {
        let mut risky = item("WRK-001", ItemStatus::Scoping);
        risky.risk = Some(Level::High);
        let mut file = file([risky]);
        let reason = "Which?".to_owned();
        run(&mut file, Change::Block { item: q("1"), reason, kind }).unwrap();
        run(&mut file, Change::Unblock { item: q("1"), notes: None }).unwrap();
        let consented = file.items[0].approved.is_some();
        assert_eq!(consented, kind == Some(BlockType::Decision), "{kind:?}");
    }
}

#[test]
fn duplicates_go_into_whichever_stays() {
    let mut file = file([2, 1, 3, 4].map(|n| item(&format!("WRK-00{n}"), ItemStatus::New)));
    let mut done = completion("WRK-003", "triage", ResultCode::PhaseComplete);
    done.duplicates = ["WRK-004", "WRK-002", "WRK-001"].map(str::to_owned).to_vec();
    let applied = complete(&mut file, done);
    assert_eq!(applied.notes, [""; 0]);
    let left: Vec<&str> = file.items.iter().map(|item| item.id_or_dash()).collect();
    assert_eq!(left, ["WRK-001"]);
}

#[test]
fn a_phase_of_an_item_that_is_gone_or_moved_loses_no_follow_up() {
    let mut file = file([item("WRK-001", ItemStatus::Blocked), item("WRK-002", ItemStatus::New)]);
    for id in ["WRK-001", "WRK-077"] {
        let mut done = completion(id, "build", ResultCode::PhaseComplete);
        done.follow_ups =
            vec![NewItem::titled(&format!("after {id}")), NewItem::titled(" title  OF wrk-002")];
        let applied = complete(&mut file, done);
        assert_eq!((applied.added.len(), applied.skipped.len(), applied.notes.len()), (1, 1, 1));
        assert_eq!(applied.skipped[0].existing, "WRK-002");
    }
    assert_eq!(file.items[0].status, ItemStatus::Blocked);
}

#[test]
fn a_phase_of_an_item_that_a_person_has_blocked_is_not_for_nothing() {
    let brings = |phase: &str| PhaseCompletion {
        assessments: Assessments { risk: Some(Level::Low), ..Assessments::default() },
        description: Some("What it is.".into()),
        pipeline_type: Some("feature".into()),
        duplicates: vec!["WRK-002".into()],
        ..completion("WRK-001", phase, ResultCode::PhaseComplete)
    };
    let blocked = |from: Option<ItemStatus>, phase: Option<(&str, PhasePool)>| BacklogItem {
        blocked_from_status: from,
        blocked_reason: Some("Ann decides".into()),
        phase: phase.map(|(phase, _)| phase.to_owned()),
        phase_pool: phase.map(|(_, pool)| pool),
        unblock_context: Some("Use tabs".into()),
        ..item("WRK-001", ItemStatus::Blocked)
    };
    let (build, review) = (("build", PhasePool::Main), ("review", PhasePool::Main));
    let in_progress = Some(ItemStatus::InProgress);
    for (phase, was, next) in [
        ("build", blocked(in_progress, Some(build)), Some((ItemStatus::InProgress, "review"))),
        ("triage", blocked(Some(ItemStatus::New), None), Some((ItemStatus::Scoping, "research"))),
        // What follows is no place to be blocked at, or is not known.
        ("review", blocked(in_progress, Some(review)), None),
        ("build", blocked(in_progress, Some(review)), None),
        ("build", blocked(None, Some(build)), None),
    ] {
        let mut file = file([was.clone(), item("WRK-002", ItemStatus::New)]);
        let applied = complete(&mut file, brings(phase));
        let now = &file.items[0];
        assert!(applied.was_moved && applied.notes.len() == 2, "{:?}", applied.notes);
        assert_eq!((now.status, &now.blocked_reason), (was.status, &was.blocked_reason));
        assert_eq!(now.risk, Some(Level::Low), "{phase}");
        assert_eq!(now.pipeline_type.is_some(), phase == PhaseCompletion::TRIAGE, "{phase}");
        assert!(now.description.is_some() && now.unblock_context.is_some(), "{phase}");
        let (from, at) = match next {
            Some((from, at)) => (Some(from), Some(at)),
            None => (was.blocked_from_status, was.phase.as_deref()),
        };
        assert_eq!((now.blocked_from_status, now.phase.as_deref()), (from, at), "{phase}");
        assert_eq!(file.items.len(), 2);
    }
}

#[test]
fn duplicates_named_by_a_phase_are_merged_into_the_lower_number() {
    let mut file = file([item("WRK-001", ItemStatus::New), item("WRK-002", ItemStatus::New)]);
    let mut done = completion("WRK-002", PhaseCompletion::TRIAGE, ResultCode::PhaseComplete);
    done.duplicates = vec!["WRK-001".into(), "WRK-050".into()];
    let applied = complete(&mut file, done);
    assert_eq!(applied.removed[0].item.id.as_deref(), Some("WRK-002"));
    assert_eq!(applied.notes.len(), 1, "{:?}", applied.notes);
    assert_eq!(file.items.len(), 1);
}

#[test]
fn the_end_of_numbers_refuses_adds_and_nothing_else() {
    let mut file = file([item("WRK-001", ItemStatus::New)]);
    file.next_item_id = u32::MAX;
    assert!(matches!(
        run(&mut file, Change::Add(vec![NewItem::titled("x")])),
        Err(ChangeError::IdSpace(_))
    ));
    run(&mut file, Change::Done { item: q("1") }).unwrap();
}

#[test]
fn what_a_person_judged_while_a_phase_ran_stays() {
    let seen = item("WRK-001", ItemStatus::New);
    let by_hand = BacklogItem {
        impact: Some(Level::High),
        unblock_context: Some("Said just now".into()),
        ..seen.clone()
    };
    let assessments =
        Assessments { size: Some(Size::Small), impact: Some(Level::Low), ..Assessments::default() };
    let result = completion("WRK-001", PhaseCompletion::TRIAGE, ResultCode::PhaseComplete);
    let result = PhaseCompletion { assessments, seen: Some(Arc::new(seen)), ..result };
    let mut file = file([by_hand]);
    let applied = complete(&mut file, result);
    let now = &file.items[0];
    assert_eq!((now.size, now.impact), (Some(Size::Small), Some(Level::High)));
    assert_eq!(now.unblock_context.as_deref(), Some("Said just now"));
    assert_eq!(applied.notes.len(), 1, "{:?}", applied.notes);
}
