//! The plan: what to start, in order, and why not the rest.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashSet};

use super::eligibility::{Dependencies, Waiting, all_of, read_ahead};
use super::filter::Selection;
use super::order::{Rank, rank};
use crate::model::change::PhaseCompletion;
use crate::model::{
    BacklogItem, BacklogSnapshot, IdKey, ItemId, ItemStatus, Limits, PhasePool, PhaseSpec, Rules,
};

/// What runs already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The item.
    pub id: String,
    /// Whether its phase must run alone.
    pub destructive: bool,
}

/// Everything a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The backlog.
    pub snapshot: &'a BacklogSnapshot,
    /// What runs.
    pub running: &'a [Running],
    /// How much may run.
    pub limits: &'a Limits,
    /// The pipelines.
    pub rules: &'a Rules,
    /// What was asked for.
    pub selection: &'a Selection,
    /// Items that this run has moved, by [`ItemId::key`]: filters let them in,
    /// whatever they have become.
    pub moved: &'a HashSet<String>,
    /// Items that this run leaves alone, by [`ItemId::key`].
    pub set_aside: &'a HashSet<String>,
}

/// A phase to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Where the item stands in the snapshot.
    pub index: usize,
    /// Its ID.
    pub id: String,
    /// The phase; `triage` for a new item.
    pub phase: String,
    /// Whether the item must be moved there first: promoted, or put at the first
    /// phase of its pool.
    pub moves: bool,
    /// Whether it runs alone.
    pub destructive: bool,
    /// Why it is its turn.
    pub reason: &'static str,
}

/// What to start now, and what everything else waits for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// To be started, in this order.
    pub starts: Vec<Start>,
    /// The other open items that have an ID or a place: index and reason.
    pub waiting: Vec<(usize, Waiting)>,
    /// A target that is blocked and stops the run.
    pub blocked_target: Option<String>,
    /// Whether anything at all was selected.
    pub has_selected: bool,
    /// Whether targets were named and all of them are done.
    pub targets_done: bool,
}

/// Plans: see the rules in the module's head.
pub fn plan(view: &View<'_>) -> Plan {
    let mut plan = Plan::default();
    let mut candidates = Vec::with_capacity(view.snapshot.items.len());
    let mut in_progress = Vec::new();
    let dependencies = Dependencies::new(view.snapshot);
    let chosen = choose(view, &dependencies, &mut plan);
    let running: HashSet<IdKey<'_>> =
        view.running.iter().map(|running| IdKey::new(&running.id)).collect();
    let places = places(view);
    let (mut promoted, mut others) = (Best::new(places), Best::new(places));
    let mut waiting = vec![None; view.snapshot.items.len()];
    for (index, item) in read_ahead(&view.snapshot.items, all_of).enumerate() {
        if item.status == ItemStatus::Done {
            continue;
        }
        if item.status == ItemStatus::InProgress {
            in_progress.push(index);
        }
        plan.has_selected |= matches!(chosen, Chosen::Any) && is_let_in(view, item);
        match candidate(view, &dependencies, &running, &chosen, index, item) {
            Ok(candidate) => {
                let best = if candidate.promotes { &mut promoted } else { &mut others };
                best.offer(candidate);
                candidates.push(candidate);
            }
            Err(reason) => waiting[index] = Some(reason),
        }
    }
    let best = promoted.first.into_iter().chain(others.first).map(|Reverse(next)| next).collect();
    fill(view, best, &in_progress, &mut plan, &mut waiting, &candidates);
    let waiting = waiting.into_iter().enumerate();
    plan.waiting = waiting.filter_map(|(index, reason)| Some((index, reason?))).collect();
    plan
}

/// What may be started by name.
enum Chosen {
    /// Whatever fits the filters.
    Any,
    /// This item alone; other targets wait for it.
    Target(usize, String),
    /// Nothing.
    None,
}

fn choose(view: &View<'_>, dependencies: &Dependencies<'_>, plan: &mut Plan) -> Chosen {
    let selection = view.selection;
    if selection.targets.is_empty() {
        return Chosen::Any;
    }
    let mut has_passed = false;
    // A target for which there is no room, since a later one may have it.
    let mut without_room = None;
    let has_room = has_room(view);
    for query in &selection.targets {
        let mut items = view.snapshot.items.iter().enumerate();
        let found = items.find(|(_, item)| item.id.as_deref().is_some_and(|id| query.names(id)));
        // A target that is not there any more is archived: whoever asks for it has
        // looked whether it exists.
        let Some((index, item)) = found else { continue };
        plan.has_selected = true;
        match item.status {
            ItemStatus::Done => {}
            ItemStatus::Blocked if selection.auto_advance => has_passed = true,
            // What it waits for may be the next target.
            _ if selection.auto_advance && dependencies.unmet(item).is_some() => has_passed = true,
            ItemStatus::Ready if !has_room => {
                without_room.get_or_insert((index, item.id_or_dash()));
            }
            _ if without_room.is_some() && item.status != ItemStatus::InProgress => {}
            ItemStatus::Blocked => {
                plan.blocked_target = item.id.clone();
                return Chosen::None;
            }
            _ => return Chosen::Target(index, item.id_or_dash().to_owned()),
        }
    }
    if let Some((index, id)) = without_room {
        return Chosen::Target(index, id.to_owned());
    }
    plan.targets_done = !has_passed;
    Chosen::None
}

/// Returns whether another item may become one in progress.
fn has_room(view: &View<'_>) -> bool {
    let items = view.snapshot.items.iter();
    let in_progress = items.filter(|item| item.status == ItemStatus::InProgress).count();
    in_progress < limit(view.limits.max_wip)
}

/// A phase that could be started. The greatest is first.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    rank: Rank<'a>,
    /// What the pipeline says of it; nothing for the triage.
    spec: Option<&'a PhaseSpec>,
    moves: bool,
    /// Whether the item becomes one in progress.
    promotes: bool,
}

impl Candidate<'_> {
    fn is_destructive(&self) -> bool {
        self.spec.is_some_and(|spec| spec.destructive)
    }

    fn to_start(self, snapshot: &BacklogSnapshot) -> Start {
        let item = &snapshot.items[self.rank.index];
        Start {
            index: self.rank.index,
            id: item.id_or_dash().to_owned(),
            phase: self.spec.map_or(PhaseCompletion::TRIAGE, |spec| &spec.name).to_owned(),
            moves: self.moves,
            destructive: self.is_destructive(),
            reason: match item.status {
                ItemStatus::New => "new: the oldest first",
                ItemStatus::Scoping => "scoping",
                ItemStatus::Ready => "ready: impact, then age",
                _ => "in progress: the furthest along first",
            },
        }
    }
}

impl Ord for Candidate<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.rank.cmp(&self.rank)
    }
}

impl PartialOrd for Candidate<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate<'_> {}

fn candidate<'a>(
    view: &View<'a>,
    dependencies: &Dependencies<'_>,
    running: &HashSet<IdKey<'_>>,
    chosen: &Chosen,
    index: usize,
    item: &'a BacklogItem,
) -> Result<Candidate<'a>, Waiting> {
    if item.status == ItemStatus::Blocked {
        return Err(Waiting::Blocked(item.blocked_reason.clone()));
    }
    let Some(id) = &item.id else { return Err(Waiting::NoId) };
    if !running.is_empty() && running.contains(&IdKey::new(id)) {
        return Err(Waiting::Running);
    }
    let is_target = || view.selection.targets.iter().any(|target| target.names(id));
    match chosen {
        Chosen::Any => {}
        Chosen::Target(target, _) if *target == index => {}
        Chosen::Target(_, target) if is_target() => {
            return Err(Waiting::TargetBefore(target.clone()));
        }
        Chosen::Target(..) => return Err(Waiting::NotSelected),
        Chosen::None => {
            let unmet = dependencies.unmet(item).filter(|_| is_target());
            return Err(unmet.unwrap_or(Waiting::NotSelected));
        }
    }
    if !is_let_in(view, item) {
        return Err(Waiting::NotSelected);
    }
    if !view.set_aside.is_empty() && view.set_aside.contains(&ItemId::key(id)) {
        return Err(Waiting::SetAside);
    }
    if !ItemId::is_plain(id) {
        return Err(Waiting::OddId);
    }
    if dependencies.is_shared(id) {
        return Err(Waiting::DuplicateId);
    }
    if let Some(waiting) = dependencies.unmet(item) {
        return Err(waiting);
    }
    at_phase(view, index, item)
}

/// Returns whether the filters let an item in.
fn is_let_in(view: &View<'_>, item: &BacklogItem) -> bool {
    if view.selection.triage_only && item.status != ItemStatus::New {
        return false;
    }
    let default = &view.rules.default_pipeline;
    let is_moved = || item.id.as_deref().is_some_and(|id| view.moved.contains(&ItemId::key(id)));
    view.selection.filters.iter().all(|filter| filter.fits(item, default)) || is_moved()
}

fn at_phase<'a>(
    view: &View<'a>,
    index: usize,
    item: &'a BacklogItem,
) -> Result<Candidate<'a>, Waiting> {
    let pipeline =
        view.rules.pipeline_of(item).map_err(|error| Waiting::Pipeline(error.to_string()))?;
    let rank = rank(item, index, pipeline);
    let promotes = item.status == ItemStatus::Ready;
    let pool = match item.status {
        ItemStatus::New => return Ok(Candidate { rank, spec: None, moves: false, promotes }),
        ItemStatus::Scoping => PhasePool::Pre,
        _ => PhasePool::Main,
    };
    let phases = pipeline.pool(pool);
    let own = item.phase.as_deref().filter(|_| !promotes);
    let at = own.and_then(|phase| phases.iter().find(|spec| spec.name == phase));
    match at.or_else(|| phases.first()) {
        Some(spec) => Ok(Candidate { rank, spec: Some(spec), moves: at.is_none(), promotes }),
        None => {
            Err(Waiting::Pipeline(format!("pipeline `{}` has no {pool} phases", pipeline.name)))
        }
    }
}

/// The first of many candidates: so many as there are places for.
struct Best<'a> {
    most: usize,
    /// The last of them on top.
    first: BinaryHeap<Reverse<Candidate<'a>>>,
}

impl<'a> Best<'a> {
    fn new(most: usize) -> Self {
        Self { most, first: BinaryHeap::new() }
    }

    fn offer(&mut self, candidate: Candidate<'a>) {
        if self.first.len() < self.most {
            self.first.push(Reverse(candidate));
        } else if let Some(mut last) = self.first.peek_mut()
            && candidate > last.0
        {
            *last = Reverse(candidate);
        }
    }
}

/// Returns how many phases may be started, beside those that run.
fn places(view: &View<'_>) -> usize {
    limit(view.limits.max_concurrent).saturating_sub(view.running.len())
}

fn limit(limit: u32) -> usize {
    usize::try_from(limit.max(1)).unwrap_or(usize::MAX)
}

/// Fills the free places in order, from the best of each kind: of those that become
/// items in progress, for which there may be no room, and of the others. All the rest
/// are only told why they wait.
fn fill(
    view: &View<'_>,
    mut best: BinaryHeap<Candidate<'_>>,
    in_progress: &[usize],
    plan: &mut Plan,
    waiting: &mut [Option<Waiting>],
    candidates: &[Candidate<'_>],
) {
    plan.has_selected |= !view.running.is_empty();
    let alone = view.running.iter().find(|running| running.destructive);
    let mut places = places(view);
    let mut room = limit(view.limits.max_wip).saturating_sub(in_progress.len());
    let mut started = HashSet::new();
    // Once a phase that works alone is next, nothing may start before it.
    let mut barrier = None;
    while alone.is_none()
        && barrier.is_none()
        && places > 0
        && let Some(next) = best.pop()
    {
        let is_first = view.running.is_empty() && plan.starts.is_empty();
        if next.promotes && room == 0 {
            continue;
        }
        if next.is_destructive() {
            barrier = Some(next);
            if !is_first {
                continue;
            }
        }
        places -= 1;
        room -= usize::from(next.promotes);
        started.insert(next.rank.index);
        plan.starts.push(next.to_start(view.snapshot));
    }
    let left = || candidates.iter().filter(|next| !started.contains(&next.rank.index));
    let would_hold = |next: &&Candidate<'_>| next.is_destructive() && !(next.promotes && room == 0);
    let barrier = barrier.or_else(|| left().filter(would_hold).max().copied());
    let wip = no_room(view, in_progress, &plan.starts);
    for next in left() {
        waiting[next.rank.index] = Some(match (alone, &barrier) {
            (Some(alone), _) => Waiting::Destructive(alone.id.clone()),
            (None, Some(barrier)) if next < barrier => {
                Waiting::Destructive(barrier.to_start(view.snapshot).id)
            }
            _ if next.promotes && room == 0 => wip.clone(),
            _ => Waiting::Room,
        });
    }
}

/// Returns what an item waits for that there is no room to promote: the first that has
/// the room is named.
fn no_room(view: &View<'_>, in_progress: &[usize], starts: &[Start]) -> Waiting {
    let items = &view.snapshot.items;
    let first = in_progress.first().map(|&index| items[index].id_or_dash());
    let first = first.or_else(|| starts.first().map(|start| start.id.as_str()));
    let most = view.limits.max_wip.max(1);
    Waiting::Wip { most, holder: first.unwrap_or_default().into() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Ended, Level};

    fn item(id: &str, status: ItemStatus) -> BacklogItem {
        BacklogItem { id: Some(id.into()), title: id.into(), status, ..BacklogItem::default() }
    }

    fn snapshot(items: impl IntoIterator<Item = BacklogItem>) -> BacklogSnapshot {
        BacklogSnapshot {
            items: items.into_iter().map(Arc::new).collect(),
            archived: Arc::default(),
        }
    }

    fn limits(wip: u32, concurrent: u32) -> Limits {
        Limits { max_wip: wip, max_concurrent: concurrent, ..Limits::default() }
    }

    fn started(
        snapshot: &BacklogSnapshot,
        running: &[Running],
        limits: &Limits,
        selection: &Selection,
    ) -> Vec<String> {
        let (rules, none) = (Rules::default(), HashSet::new());
        let view = View {
            snapshot,
            running,
            limits,
            rules: &rules,
            selection,
            moved: &none,
            set_aside: &none,
        };
        let plan = plan(&view);
        assert_eq!(
            plan.starts.len() + plan.waiting.len(),
            snapshot.items.iter().filter(|item| item.status != ItemStatus::Done).count(),
            "every open item is started or told why not"
        );
        plan.starts.into_iter().map(|start| format!("{} {}", start.id, start.phase)).collect()
    }

    fn at(id: &str, phase: &str) -> BacklogItem {
        BacklogItem { phase: Some(phase.into()), ..item(id, ItemStatus::InProgress) }
    }

    #[test]
    fn the_furthest_along_goes_first_then_scoping_then_new() {
        let scoping =
            BacklogItem { phase: Some("research".into()), ..item("A-3", ItemStatus::Scoping) };
        let all =
            snapshot([item("A-1", ItemStatus::New), at("A-2", "prd"), scoping, at("A-4", "spec")]);
        let all_started = started(&all, &[], &limits(9, 9), &Selection::default());
        assert_eq!(all_started, ["A-4 spec", "A-2 prd", "A-3 research", "A-1 triage"]);
    }

    #[test]
    fn ready_items_are_promoted_by_impact_while_there_is_room() {
        let high = BacklogItem { impact: Some(Level::High), ..item("A-2", ItemStatus::Ready) };
        let all = snapshot([item("A-1", ItemStatus::Ready), high, at("A-3", "prd")]);
        assert_eq!(
            started(&all, &[], &limits(2, 9), &Selection::default()),
            ["A-3 prd", "A-2 prd"]
        );
        assert_eq!(started(&all, &[], &limits(1, 9), &Selection::default()), ["A-3 prd"]);
    }

    #[test]
    fn a_destructive_phase_runs_alone() {
        let all = snapshot([at("A-1", "build"), at("A-2", "prd")]);
        assert_eq!(started(&all, &[], &limits(9, 9), &Selection::default()), ["A-1 build"]);
        let prd = [Running { id: "A-2".into(), destructive: false }];
        assert_eq!(started(&all, &prd, &limits(9, 9), &Selection::default()), Vec::<String>::new());
        let build = [Running { id: "A-1".into(), destructive: true }];
        assert_eq!(
            started(&all, &build, &limits(9, 9), &Selection::default()),
            Vec::<String>::new()
        );
    }

    #[test]
    fn dependencies_are_judged_on_the_whole_backlog() {
        let needs = |id: &str, on: &str| BacklogItem {
            dependencies: vec![on.into()],
            ..item(id, ItemStatus::New)
        };
        let mut all = snapshot([
            item("A-1", ItemStatus::Done),
            needs("A-2", "A-01"),
            needs("A-3", "A-2"),
            needs("A-4", "A-90"),
            needs("A-5", "A-91"),
            needs("A-6", "A-77"),
        ]);
        all.archived = Arc::new(
            [("a-90".to_owned(), Ended::Done), ("a-91".to_owned(), Ended::Dropped)].into(),
        );
        // A filter that hides A-2 leaves A-3 waiting for it.
        assert_eq!(
            started(&all, &[], &limits(9, 9), &Selection::default()),
            ["A-2 triage", "A-4 triage"]
        );
        let rules = Rules::default();
        let selection = Selection { targets: vec!["A-3".into()], ..Selection::default() };
        let plan = plan(&View {
            snapshot: &all,
            running: &[],
            limits: &limits(9, 9),
            rules: &rules,
            selection: &selection,
            moved: &HashSet::new(),
            set_aside: &HashSet::new(),
        });
        assert!(plan.starts.is_empty());
        assert!(
            plan.waiting.contains(&(2, Waiting::Dependency("A-2".into()))),
            "{:?}",
            plan.waiting
        );
    }

    #[test]
    fn targets_go_in_their_order() {
        let all = snapshot([
            item("A-1", ItemStatus::New),
            item("A-2", ItemStatus::Blocked),
            item("A-3", ItemStatus::New),
        ]);
        let mut selection =
            Selection { targets: vec!["A-2".into(), "3".into()], ..Selection::default() };
        assert_eq!(started(&all, &[], &limits(9, 9), &selection), Vec::<String>::new());
        selection.auto_advance = true;
        assert_eq!(started(&all, &[], &limits(9, 9), &selection), ["A-3 triage"]);
    }

    #[test]
    fn a_target_that_waits_for_another_one_is_passed() {
        let first =
            BacklogItem { dependencies: vec!["A-2".into()], ..item("A-1", ItemStatus::New) };
        let all = snapshot([first.clone(), item("A-2", ItemStatus::New)]);
        let targets = vec!["A-1".into(), "A-2".into()];
        let mut selection = Selection { targets, ..Selection::default() };
        assert_eq!(started(&all, &[], &limits(9, 9), &selection), Vec::<String>::new());
        selection.auto_advance = true;
        assert_eq!(started(&all, &[], &limits(9, 9), &selection), ["A-2 triage"]);
        let all = snapshot([first, item("A-2", ItemStatus::Done)]);
        assert_eq!(started(&all, &[], &limits(9, 9), &selection), ["A-1 triage"]);
    }

    #[test]
    fn a_target_without_room_lets_the_one_go_first_that_has_it() {
        let items =
            [item("A-1", ItemStatus::Ready), item("A-2", ItemStatus::New), at("A-3", "prd")];
        let all = snapshot(items);
        let go = |targets: &[&str], wip: u32| {
            let targets = targets.iter().map(|&id| id.into()).collect();
            let selection = Selection { targets, ..Selection::default() };
            started(&all, &[], &limits(wip, 9), &selection)
        };
        assert_eq!(go(&["A-1", "A-2", "A-3"], 1), ["A-3 prd"]);
        assert_eq!(go(&["A-1", "A-2", "A-3"], 2), ["A-1 prd"]);
        // Who has it is not asked for, so that nothing can be started.
        assert_eq!(go(&["A-1", "A-2"], 1), Vec::<String>::new());
    }

    #[test]
    fn what_no_result_can_name_is_not_started() {
        let odd = ["epic", "../A-5", "A-6", "a-06"].map(|id| item(id, ItemStatus::New));
        let all = snapshot(odd.into_iter().chain([item("A-7", ItemStatus::New)]));
        assert_eq!(started(&all, &[], &limits(9, 9), &Selection::default()), ["A-7 triage"]);
    }

    #[test]
    fn a_phase_that_the_pipeline_lacks_begins_with_the_first() {
        let all = snapshot([at("A-1", "gone")]);
        let rules = Rules::default();
        let selection = Selection::default();
        let plan = plan(&View {
            snapshot: &all,
            running: &[],
            limits: &limits(1, 1),
            rules: &rules,
            selection: &selection,
            moved: &HashSet::new(),
            set_aside: &HashSet::new(),
        });
        assert_eq!((plan.starts[0].phase.as_str(), plan.starts[0].moves), ("prd", true));
    }
}
