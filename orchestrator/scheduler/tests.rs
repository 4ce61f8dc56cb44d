//! The rules of the plan, held against random backlogs: whatever is in one, runs, is
//! allowed and was asked for, what is started may be, and what is not has a reason
//! that is true.
//!
//! What is met, and what can ever be done, is worked out here a second time, in the
//! plainest way, so that the plan is not judged by its own code.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::subsequence;

use super::*;
use crate::model::{
    BacklogItem, BacklogSnapshot, Ended, IdQuery, ItemId, ItemStatus, Level, Limits, PhaseSpec,
    Pipeline, Rules,
};

/// The most items of a backlog.
const MOST: usize = 10;
/// What IDs in dependencies stand for past those of items: archived as done, given up,
/// merged, and nothing.
const ARCHIVED: [&str; 4] = ["A-90", "A-91", "A-92", "A-99"];
const FILTERS: [&str; 4] = ["tag=a", "status=ready,in_progress", "impact=high", "pipeline=feature"];

/// Everything a plan is made from, owned.
#[derive(Debug, Clone)]
struct World {
    snapshot: BacklogSnapshot,
    running: Vec<Running>,
    limits: Limits,
    rules: Rules,
    selection: Selection,
    moved: Vec<String>,
    set_aside: Vec<String>,
}

impl World {
    fn plan(&self) -> Plan {
        // Made anew for each plan: their order differs from set to set.
        let moved: HashSet<String> = self.moved.iter().map(|id| ItemId::key(id)).collect();
        let set_aside: HashSet<String> = self.set_aside.iter().map(|id| ItemId::key(id)).collect();
        plan(&View {
            snapshot: &self.snapshot,
            running: &self.running,
            limits: &self.limits,
            rules: &self.rules,
            selection: &self.selection,
            moved: &moved,
            set_aside: &set_aside,
        })
    }

    fn item(&self, start: &Start) -> &BacklogItem {
        &self.snapshot.items[start.index]
    }

    /// Returns whether what an ID names is done, by a walk over the whole backlog.
    fn is_done(&self, id: &str) -> bool {
        let mut named = self.snapshot.items.iter().filter(|item| item.is(id)).peekable();
        if named.peek().is_some() {
            return named.all(|item| item.status == ItemStatus::Done);
        }
        self.snapshot.archived.get(&ItemId::key(id)) == Some(&Ended::Done)
    }

    fn in_progress(&self) -> usize {
        let items = self.snapshot.items.iter();
        items.filter(|item| item.status == ItemStatus::InProgress).count()
    }

    /// Returns the first item in progress, or the first that becomes one.
    fn holder(&self, started: &[usize]) -> Arc<str> {
        let items = &self.snapshot.items;
        let first = items.iter().find(|item| item.status == ItemStatus::InProgress);
        first.unwrap_or_else(|| &items[started[0]]).id_or_dash().into()
    }

    fn runs(&self, item: &BacklogItem) -> bool {
        self.running.iter().any(|running| item.is(&running.id))
    }
}

/// The default pipeline; one that works alone first, and has nothing before it; one
/// that leads nowhere.
fn rules() -> Rules {
    let alone = PhaseSpec { destructive: true, ..PhaseSpec::new("build") };
    let pipeline = |name: &str, pre: Vec<PhaseSpec>, phases: Vec<PhaseSpec>| {
        (name.to_owned(), Pipeline { name: name.to_owned(), pre_phases: pre, phases })
    };
    let mut rules = Rules::default();
    rules.pipelines.extend([
        pipeline("quick", Vec::new(), vec![alone, PhaseSpec::new("check")]),
        pipeline("bare", vec![PhaseSpec::new("research")], Vec::new()),
    ]);
    rules
}

fn archived() -> Arc<BTreeMap<String, Ended>> {
    // The first item was done once, and is back: the backlog goes before the worklog.
    let ended = [
        ("a-1", Ended::Done),
        ("a-90", Ended::Done),
        ("a-91", Ended::Dropped),
        ("a-92", Ended::Merged),
    ];
    Arc::new(ended.map(|(id, ended)| (id.to_owned(), ended)).into())
}

fn status() -> impl Strategy<Value = ItemStatus> {
    prop_oneof![
        3 => Just(ItemStatus::New),
        2 => Just(ItemStatus::Scoping),
        4 => Just(ItemStatus::Ready),
        4 => Just(ItemStatus::InProgress),
        1 => Just(ItemStatus::Blocked),
        2 => Just(ItemStatus::Done),
    ]
}

fn dependency() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (1..=MOST).prop_map(|n| format!("A-{n}")),
        // Another spelling of the same.
        1 => (1..=MOST).prop_map(|n| format!("a-{n:03}")),
        1 => prop::sample::select(&ARCHIVED[..]).prop_map(str::to_owned),
    ]
}

prop_compose! {
    fn item()(
        status in status(),
        phase in prop::option::of(prop::sample::select(
            vec!["research", "prd", "spec", "build", "review", "check", "gone"])),
        pipeline in prop_oneof![
            5 => Just(None), 3 => Just(Some("quick")), 1 => Just(Some("bare")), 1 => Just(Some("gone"))],
        dependencies in prop_oneof![
            Just(Vec::new()), prop::collection::vec(dependency(), 0..3)],
        impact in prop::option::of(prop::sample::select(vec![Level::Low, Level::High])),
        tagged in any::<bool>(),
        day in prop::option::of(1..4),
    ) -> BacklogItem {
        BacklogItem {
            status,
            phase: phase.map(str::to_owned),
            pipeline_type: pipeline.map(str::to_owned),
            dependencies,
            impact,
            tags: if tagged { vec!["a".to_owned()] } else { Vec::new() },
            created: day.map(|day| format!("2026-01-0{day}T00:00:00Z")),
            ..BacklogItem::default()
        }
    }
}

/// Backlogs of items with IDs in order; one in ten has none yet.
fn snapshot() -> impl Strategy<Value = BacklogSnapshot> {
    let items = prop::collection::vec((item(), prop::bool::weighted(0.9)), 0..=MOST);
    items.prop_map(|items| {
        let named = items.into_iter().enumerate().map(|(index, (item, has_id))| {
            let id = has_id.then(|| format!("A-{}", index + 1));
            Arc::new(BacklogItem { id, ..item })
        });
        BacklogSnapshot { items: named.collect(), archived: archived() }
    })
}

fn ids() -> Vec<String> {
    (1..=MOST).map(|n| format!("A-{n}")).collect()
}

fn selection() -> impl Strategy<Value = Selection> {
    let filters = subsequence(FILTERS.to_vec(), 0..=1);
    let targets = prop_oneof![3 => Just(Vec::new()), 1 => subsequence(ids(), 1..4).prop_shuffle()];
    (filters, targets, any::<bool>(), prop::bool::weighted(0.1)).prop_map(
        |(filters, targets, auto_advance, triage_only)| Selection {
            filters: filters.iter().map(|text| text.parse().unwrap()).collect(),
            targets: targets.iter().map(|id| IdQuery::from(id.as_str())).collect(),
            auto_advance,
            triage_only,
        },
    )
}

/// What runs: one phase that works alone, or some that do not; also of items that are
/// gone from the backlog meanwhile.
fn running() -> impl Strategy<Value = Vec<Running>> {
    let run = |destructive: bool| {
        move |ids: Vec<String>| {
            ids.into_iter().map(|id| Running { id, destructive }).collect::<Vec<_>>()
        }
    };
    prop_oneof![
        2 => Just(Vec::new()),
        2 => subsequence(ids(), 1..4).prop_map(run(false)),
        1 => subsequence(ids(), 1).prop_map(run(true)),
    ]
}

prop_compose! {
    fn world()(
        snapshot in snapshot(),
        running in running(),
        // Nought is read as one.
        (max_wip, max_concurrent) in (0..5_u32, 0..5_u32),
        selection in selection(),
        moved in subsequence(ids(), 0..3),
        set_aside in subsequence(ids(), 0..2),
    ) -> World {
        let limits = Limits { max_wip, max_concurrent, ..Limits::default() };
        World { snapshot, running, limits, rules: rules(), selection, moved, set_aside }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_destructive_phase_is_alone_in_any_plan(world in world()) {
        let plan = world.plan();
        let under_way = world.running.iter().map(|running| running.destructive);
        let all: Vec<bool> =
            under_way.chain(plan.starts.iter().map(|start| start.destructive)).collect();
        if !plan.starts.is_empty() && all.contains(&true) {
            prop_assert_eq!(all.len(), 1, "beside each other: {:?}", plan.starts);
        }
        for start in &plan.starts {
            let pipeline = world.rules.pipeline_of(world.item(start)).unwrap();
            let is_alone = pipeline.phase(&start.phase).is_some_and(|spec| spec.destructive);
            prop_assert_eq!(start.destructive, is_alone, "{:?}", start);
        }
    }

    #[test]
    fn no_plan_goes_above_a_limit(world in world()) {
        let plan = world.plan();
        let concurrent = world.limits.max_concurrent.max(1) as usize;
        prop_assert!(plan.starts.len() <= concurrent.saturating_sub(world.running.len()));
        let promoted = |start: &&Start| world.item(start).status == ItemStatus::Ready;
        let promoted = plan.starts.iter().filter(promoted).count();
        let room = (world.limits.max_wip.max(1) as usize).saturating_sub(world.in_progress());
        prop_assert!(promoted <= room, "{} are promoted where {} may be", promoted, room);
    }

    #[test]
    fn nothing_is_started_before_what_it_depends_on(world in world()) {
        for start in world.plan().starts {
            for id in &world.item(&start).dependencies {
                prop_assert!(world.is_done(id), "{} is started before {}", start.id, id);
            }
        }
    }

    #[test]
    fn only_what_was_asked_for_is_started(world in world()) {
        let plan = world.plan();
        let mut seen = BTreeSet::new();
        for start in &plan.starts {
            let item = world.item(start);
            prop_assert_eq!(item.id.as_ref(), Some(&start.id));
            prop_assert!(seen.insert(&start.id), "{} is started twice", start.id);
            prop_assert!(!matches!(item.status, ItemStatus::Blocked | ItemStatus::Done));
            prop_assert!(!world.runs(item) && !world.set_aside.contains(&start.id));
            let Selection { filters, targets, triage_only, .. } = &world.selection;
            let fits = filters.iter().all(|filter| filter.fits(item, "feature"));
            prop_assert!(fits || world.moved.contains(&start.id), "{} fits no filter", start.id);
            prop_assert!(!triage_only || item.status == ItemStatus::New);
            prop_assert!(targets.is_empty() || targets.iter().any(|target| target.names(&start.id)));
        }
    }

    #[test]
    fn the_same_input_gives_the_same_plan(world in world()) {
        let mut again = world.clone();
        again.moved.reverse();
        again.set_aside.reverse();
        prop_assert_eq!(world.plan(), again.plan());
    }

    #[test]
    fn the_places_are_filled_in_the_order_of_all(world in world()) {
        let plan = world.plan();
        let candidates = in_order(&world);
        let (started, waiting) = filled(&world, &candidates);
        prop_assert_eq!(plan.starts.iter().map(|start| start.index).collect::<Vec<_>>(), started);
        for waiting in waiting {
            prop_assert!(plan.waiting.contains(&waiting), "{:?} in {:?}", waiting, plan.waiting);
        }
    }

    #[test]
    fn every_open_item_is_started_or_told_why(world in world()) {
        let plan = world.plan();
        let mut told: Vec<usize> = plan.starts.iter().map(|start| start.index).collect();
        told.extend(plan.waiting.iter().map(|(index, _)| *index));
        told.sort_unstable();
        let items = world.snapshot.items.iter().enumerate();
        let open = items.filter(|(_, item)| item.status != ItemStatus::Done);
        prop_assert_eq!(told, open.map(|(index, _)| index).collect::<Vec<_>>());
        for (index, waiting) in &plan.waiting {
            let item = &world.snapshot.items[*index];
            prop_assert!(is_true(&world, &plan, item, waiting), "{:?}: {:?}", item, waiting);
        }
    }
}

/// Returns what could be started, in its order: what a plan starts where there is room
/// for all, and nothing works alone.
fn in_order(world: &World) -> Vec<Start> {
    let mut roomy = world.clone();
    // Which target it is may depend on the room.
    let target = world.plan().waiting.into_iter().find_map(|(_, waiting)| match waiting {
        Waiting::TargetBefore(id) => Some(id),
        _ => None,
    });
    if let Some(target) = target {
        roomy.selection.targets = vec![target.as_str().into()];
    }
    roomy.limits = Limits { max_wip: u32::MAX, max_concurrent: u32::MAX, ..world.limits };
    let pipelines = roomy.rules.pipelines.values_mut();
    pipelines.flat_map(|pipeline| &mut pipeline.phases).for_each(|spec| spec.destructive = false);
    roomy.running.iter_mut().for_each(|running| running.destructive = false);
    roomy.plan().starts
}

/// Fills the places one by one. Returns the items that start, and what the others wait
/// for.
fn filled(world: &World, candidates: &[Start]) -> (Vec<usize>, Vec<(usize, Waiting)>) {
    let (mut started, mut waiting) = (Vec::new(), Vec::new());
    let mut places =
        (world.limits.max_concurrent.max(1) as usize).saturating_sub(world.running.len());
    let mut room = (world.limits.max_wip.max(1) as usize).saturating_sub(world.in_progress());
    let alone = world.running.iter().find(|running| running.destructive);
    let mut held = alone.map(|running| running.id.clone());
    for start in candidates {
        let item = world.item(start);
        let pipeline = world.rules.pipeline_of(item).unwrap();
        let works_alone = pipeline.phase(&start.phase).is_some_and(|spec| spec.destructive);
        let promotes = item.status == ItemStatus::Ready;
        let is_first = world.running.is_empty() && started.is_empty();
        if let Some(id) = &held {
            waiting.push((start.index, Waiting::Destructive(id.clone())));
        } else if promotes && room == 0 {
            let most = world.limits.max_wip.max(1);
            waiting.push((start.index, Waiting::Wip { most, holder: world.holder(&started) }));
        } else if works_alone && !is_first {
            held = Some(start.id.clone());
            waiting.push((start.index, Waiting::Room));
        } else if places == 0 {
            waiting.push((start.index, Waiting::Room));
        } else {
            places -= 1;
            room -= usize::from(promotes);
            held = works_alone.then(|| start.id.clone());
            started.push(start.index);
        }
    }
    (started, waiting)
}

/// Returns whether an item does wait for that.
fn is_true(world: &World, plan: &Plan, item: &BacklogItem, waiting: &Waiting) -> bool {
    let depends = |id: &String| item.dependencies.contains(id) && !world.is_done(id);
    let ended = |id: &String| world.snapshot.archived.get(&ItemId::key(id)).copied();
    let is_there = |id: &String| world.snapshot.get(id).is_some();
    match waiting {
        Waiting::Blocked(reason) => {
            item.status == ItemStatus::Blocked && *reason == item.blocked_reason
        }
        Waiting::Dependency(id) => depends(id) && is_there(id),
        Waiting::DroppedDependency(id) => depends(id) && !is_there(id) && ended(id).is_some(),
        Waiting::UnknownDependency(id) => depends(id) && !is_there(id) && ended(id).is_none(),
        // Something runs or starts.
        Waiting::Room => !world.running.is_empty() || !plan.starts.is_empty(),
        // The items in progress are as many as may be.
        Waiting::Wip { most, .. } => {
            let promoted = |start: &&Start| world.item(start).status == ItemStatus::Ready;
            let promoted = plan.starts.iter().filter(promoted).count();
            world.in_progress() + promoted >= *most as usize
        }
        Waiting::Destructive(id) => {
            let is_next = |(index, why): &(usize, Waiting)| {
                *why == Waiting::Room && world.snapshot.items[*index].is(id)
            };
            world.running.iter().any(|running| running.destructive && running.id == *id)
                || plan.starts.iter().any(|start| start.destructive && start.id == *id)
                || plan.waiting.iter().any(is_next)
        }
        Waiting::NotSelected => world.selection != Selection::default(),
        Waiting::TargetBefore(id) => {
            let is_target = |id: &str| world.selection.targets.iter().any(|own| own.names(id));
            !item.is(id) && is_target(id) && item.id.as_deref().is_some_and(is_target)
        }
        Waiting::NoId => item.id.is_none(),
        // The IDs of this world are all different, and have numbers.
        Waiting::OddId | Waiting::DuplicateId => false,
        Waiting::Pipeline(_) => match item.pipeline_type.as_deref() {
            Some("bare") => matches!(item.status, ItemStatus::Ready | ItemStatus::InProgress),
            Some("quick") => item.status == ItemStatus::Scoping,
            pipeline => pipeline == Some("gone"),
        },
        Waiting::Running => world.runs(item),
        Waiting::SetAside => world.set_aside.iter().any(|id| item.is(id)),
    }
}

/// A run without a disk: what is planned is begun, ends after some rounds, and moves
/// its item on.
struct Simulation {
    world: World,
    /// How many rounds each phase takes, over and over.
    rounds: Vec<u8>,
    /// What runs, and for how many rounds yet.
    left: Vec<(usize, String, u8)>,
    started: usize,
}

impl Simulation {
    /// Runs until nothing runs and nothing is started. Returns whether that came.
    fn run(&mut self) -> bool {
        // More than all phases of all items, one after the other.
        for _ in 0..MOST * 8 * 5 {
            let plan = self.world.plan();
            if plan.starts.is_empty() && self.left.is_empty() {
                return true;
            }
            for start in plan.starts {
                self.begin(start);
            }
            self.end_round();
        }
        false
    }

    fn begin(&mut self, start: Start) {
        let item = Arc::make_mut(&mut self.world.snapshot.items[start.index]);
        if item.status == ItemStatus::Ready {
            item.status = ItemStatus::InProgress;
        }
        if item.status != ItemStatus::New {
            item.phase = Some(start.phase.clone());
        }
        let rounds = self.rounds[self.started % self.rounds.len()];
        self.started += 1;
        self.world.moved.push(start.id.clone());
        self.world.running.push(Running { id: start.id, destructive: start.destructive });
        self.left.push((start.index, start.phase, rounds));
        let alone = self.world.running.iter().any(|running| running.destructive);
        assert!(!alone || self.world.running.len() == 1, "{:?}", self.world.running);
    }

    fn end_round(&mut self) {
        for (_, _, left) in &mut self.left {
            *left -= 1;
        }
        let ended: Vec<_> = self.left.extract_if(.., |(_, _, left)| *left == 0).collect();
        for (index, phase, _) in ended {
            let item = Arc::make_mut(&mut self.world.snapshot.items[index]);
            let pipeline = self.world.rules.pipeline_of(item).unwrap();
            self.world.running.retain(|running| !item.is(&running.id));
            advance(item, pipeline, &phase);
        }
    }
}

/// Moves an item on after a phase.
fn advance(item: &mut BacklogItem, pipeline: &Pipeline, phase: &str) {
    let (phases, after) = match item.status {
        ItemStatus::InProgress => (&pipeline.phases, ItemStatus::Done),
        _ => (&pipeline.pre_phases, ItemStatus::Ready),
    };
    let next = match item.status {
        ItemStatus::New => phases.first(),
        _ => phases.iter().skip_while(|spec| spec.name != phase).nth(1),
    };
    item.phase = next.map(|spec| spec.name.clone());
    if next.is_none() {
        item.status = after;
    } else if item.status == ItemStatus::New {
        item.status = ItemStatus::Scoping;
    }
}

/// Returns the items that can be done: each one that has what it needs, where all it
/// depends on is done or can be.
fn can_be_done(world: &World) -> BTreeSet<String> {
    let leads_on = |item: &BacklogItem| match item.pipeline_type.as_deref() {
        None => true,
        // One that a person has put where its pipeline has no phases.
        Some("quick") => item.status != ItemStatus::Scoping,
        Some(_) => false,
    };
    let is_fit = |item: &BacklogItem| {
        let is_let_in = world.selection.filters.iter().all(|filter| filter.fits(item, "feature"));
        let is_open = item.status != ItemStatus::Blocked && is_let_in && leads_on(item);
        item.status == ItemStatus::Done || is_open
    };
    let mut found: BTreeSet<String> = BTreeSet::new();
    loop {
        let is_met = |id: &String| world.is_done(id) || found.contains(&ItemId::key(id));
        let more = world.snapshot.items.iter().filter(|item| is_fit(item));
        let more = more
            .filter(|item| item.status == ItemStatus::Done || item.dependencies.iter().all(is_met));
        let keys: BTreeSet<String> =
            more.filter_map(|item| item.id.as_deref().map(ItemId::key)).collect();
        if keys == found {
            return found;
        }
        found = keys;
    }
}

prop_compose! {
    /// Backlogs without a knot that only a person can undo: an item in progress that
    /// cannot go on takes room, and what it waits for may need that room.
    fn fair_world()(
        world in world(),
        filtered in prop::bool::weighted(0.3),
    ) -> World {
        let mut world = World { running: Vec::new(), set_aside: Vec::new(), moved: Vec::new(), ..world };
        world.selection = Selection::default();
        if filtered {
            world.selection.filters = vec!["tag=a".parse().unwrap()];
        }
        for item in &mut world.snapshot.items {
            let item = Arc::make_mut(item);
            if item.status == ItemStatus::InProgress {
                item.dependencies.clear();
                item.pipeline_type = None;
                item.tags = vec!["a".to_owned()];
                // Without an ID it could not go on either.
                item.status = if item.id.is_some() { item.status } else { ItemStatus::Ready };
            }
        }
        world
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_can_be_done_is_done_in_the_end(
        world in fair_world(),
        rounds in prop::collection::vec(1..5_u8, 1..6),
    ) {
        let expected = can_be_done(&world);
        let mut simulation = Simulation { world, rounds, left: Vec::new(), started: 0 };
        prop_assert!(simulation.run(), "it never ends");
        let items = simulation.world.snapshot.items.iter();
        let done = items.filter(|item| item.status == ItemStatus::Done);
        let done: BTreeSet<String> =
            done.filter_map(|item| item.id.as_deref().map(ItemId::key)).collect();
        prop_assert_eq!(done, expected);
    }
}
