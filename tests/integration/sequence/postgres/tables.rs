//! Tables that another program made: what fits is used as it is, and what could
//! issue a number twice is refused.

use orchestrator::sequence::postgres::{Isolation, PostgresBackend, PostgresOptions, allocate};
use orchestrator::sequence::{Action, Backend, Key, Layout, MissingRow, Reply, SequenceError};

use super::super::conformance::{HOUR, ask, next, once, range, reserve, us};
use super::{block_on, connect, text};
use crate::support::Cluster;

fn database(sql: &str) -> String {
    let cluster = Cluster::shared();
    let database = cluster.database();
    cluster.execute(&database, sql);
    cluster.url(&database)
}

fn open(url: &str, layout: Layout) -> Result<PostgresBackend, SequenceError> {
    PostgresBackend::open(url, layout, PostgresOptions::default())
}

fn making(url: &str, layout: Layout) -> Result<PostgresBackend, SequenceError> {
    let options = PostgresOptions { make_tables: true, ..PostgresOptions::default() };
    PostgresBackend::open(url, layout, options)
}

const THEIRS: &str = "CREATE TABLE id_registry (
        artifact_type varchar(10) NOT NULL, project_id text NOT NULL,
        last_assigned_id integer NOT NULL, updated_at timestamp NOT NULL,
        note text DEFAULT 'theirs', PRIMARY KEY (project_id, artifact_type));
    INSERT INTO id_registry VALUES ('US', 'alpha', 27, 'yesterday')";

#[test]
fn a_table_of_another_program_is_used_as_it_is() {
    let url = database(THEIRS);
    let mut backend = open(&url, Layout::registry()).unwrap();
    assert_eq!(range(ask(&mut backend, next(&us(), 1))), (28, 28));
    let beta = Key::new(["US", "beta"]).unwrap();
    assert_eq!(range(ask(&mut backend, next(&beta, 2))), (1, 2));
    // Nothing was made beside it; what needs more is refused, and nothing else is.
    let batch = [
        next(&us(), 1),
        reserve(&us(), 1, HOUR),
        once(next(&us(), 1), "t", "k"),
        Action::Confirm(uuid::Uuid::nil()).into(),
        next(&us(), 1),
    ];
    let outcomes = backend.commit(&batch).unwrap();
    assert_eq!(range(outcomes[0].clone()), (29, 29));
    assert_eq!(range(outcomes[4].clone()), (30, 30));
    for refused in &outcomes[1..4] {
        assert!(matches!(refused, Err(SequenceError::NoTable { .. })), "{refused:?}");
    }
    let tables = "SELECT string_agg(tablename, ' ') FROM pg_tables WHERE schemaname = 'public'";
    let touched = "SELECT count(*)::text FROM id_registry
        WHERE updated_at > now() - interval '1 hour' AND note = 'theirs'";
    block_on(async {
        let client = connect(&url).await;
        assert_eq!(text(&client, tables).await, "id_registry");
        assert_eq!(text(&client, touched).await, "2");
    });
    // Made beside it, rows stay.
    let mut backend = making(&url, Layout::registry()).unwrap();
    assert_eq!(range(ask(&mut backend, reserve(&us(), 2, HOUR))), (31, 32));
}

#[test]
fn a_column_that_is_too_small_issues_nothing_beyond_its_end() {
    let url = database(THEIRS);
    let mut backend = open(&url, Layout::registry()).unwrap();
    let end = u32::try_from(i32::MAX).unwrap();
    let raise = |to| Action::Raise { key: us(), to }.into();
    assert!(matches!(ask(&mut backend, raise(end + 1)), Err(SequenceError::Database { .. })));
    ask(&mut backend, raise(end - 1)).unwrap();
    assert_eq!(range(ask(&mut backend, next(&us(), 1))), (end, end));
    let error = ask(&mut backend, next(&us(), 1)).unwrap_err();
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.contains("holds at most 2147483647"), "{why}");
}

#[test]
fn a_value_that_the_table_cannot_take_spoils_nothing_for_the_others() {
    let url = database(THEIRS);
    let mut backend = open(&url, Layout::registry()).unwrap();
    let long = Key::new(["LONGER_THAN_10", "alpha"]).unwrap();
    let mut batch = vec![next(&us(), 1); 9];
    batch[4] = next(&long, 1);
    let outcomes = backend.commit(&batch).unwrap();
    let (bad, good): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_err);
    assert!(matches!(bad.as_slice(), [Err(SequenceError::Database { .. })]), "{bad:?}");
    let numbers: Vec<u32> = good.into_iter().map(|outcome| range(outcome).0).collect();
    assert_eq!(numbers, (28..36).collect::<Vec<u32>>());
}

type Check = fn(&SequenceError) -> bool;

const COLUMNS: &str = "(artifact_type text NOT NULL, project_id text NOT NULL,
    last_assigned_id bigint NOT NULL, updated_at timestamptz DEFAULT now()";

/// What a database may hold, and what is said of it.
fn unfit() -> [(String, Check); 10] {
    let is_layout: Check = |error| matches!(error, SequenceError::Layout { .. });
    let columns = COLUMNS;
    [
        ("SELECT".to_owned(), |error| matches!(error, SequenceError::NoTable { .. })),
        (
            "CREATE TABLE id_registry (artifact_type text, last_value int)".to_owned(),
            |error| matches!(error, SequenceError::OtherColumns { missing, .. } if missing == "project_id, last_assigned_id"),
        ),
        (format!("CREATE TABLE id_registry {columns})"), |error| {
            matches!(error, SequenceError::NotUnique { .. })
        }),
        (format!("CREATE TABLE id_registry {columns}, UNIQUE (artifact_type))"), |error| {
            matches!(error, SequenceError::NotUnique { .. })
        }),
        (
            format!(
                "CREATE TABLE id_registry {columns});
                 CREATE UNIQUE INDEX ON id_registry (artifact_type, project_id)
                 WHERE last_assigned_id > 0"
            ),
            |error| matches!(error, SequenceError::NotUnique { .. }),
        ),
        (
            format!(
                "CREATE UNLOGGED TABLE id_registry {columns}, PRIMARY KEY (artifact_type, project_id))"
            ),
            is_layout,
        ),
        (
            format!(
                "CREATE TABLE t {columns}, PRIMARY KEY (artifact_type, project_id));
                 CREATE VIEW id_registry AS SELECT * FROM t"
            ),
            is_layout,
        ),
        (
            format!(
                "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2',
                     deterministic = false);
                 CREATE TABLE id_registry {columns}, PRIMARY KEY (artifact_type, project_id));
                 ALTER TABLE id_registry ALTER project_id TYPE text COLLATE loose"
            ),
            is_layout,
        ),
        (
            "CREATE TABLE id_registry (artifact_type text, project_id int, last_assigned_id int,
             updated_at date, PRIMARY KEY (artifact_type, project_id))"
                .to_owned(),
            is_layout,
        ),
        (
            "CREATE TABLE id_registry (artifact_type text, project_id text, last_assigned_id text,
             updated_at date, PRIMARY KEY (artifact_type, project_id))"
                .to_owned(),
            is_layout,
        ),
    ]
}

/// Tables that are several.
fn unfit_together() -> [(String, Check); 2] {
    let columns = COLUMNS;
    [
        (
            format!(
                "CREATE TABLE id_registry {columns}, PRIMARY KEY (artifact_type, project_id))
                     PARTITION BY LIST (project_id);
                 CREATE UNLOGGED TABLE a PARTITION OF id_registry FOR VALUES IN ('alpha')"
            ),
            |error| matches!(error, SequenceError::Layout { .. }),
        ),
        (
            format!(
                "CREATE TABLE id_registry {columns}, PRIMARY KEY (artifact_type, project_id));
                 CREATE TABLE child (PRIMARY KEY (artifact_type, project_id))
                     INHERITS (id_registry)"
            ),
            |error| matches!(error, SequenceError::NotUnique { .. }),
        ),
    ]
}

#[test]
fn tables_that_could_issue_a_number_twice_are_refused() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let url = cluster.url(&database);
    for (sql, is_right) in unfit().into_iter().chain(unfit_together()) {
        cluster.execute(&database, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
        cluster.execute(&database, &sql);
        for made in [open(&url, Layout::registry()), making(&url, Layout::registry())] {
            let Err(error) = made else {
                assert_eq!(sql, "SELECT", "it was taken");
                continue;
            };
            assert!(is_right(&error), "{sql}: {error:?}");
        }
    }
}

#[test]
fn a_counter_that_is_no_number_is_an_error_of_its_key_alone() {
    let url = database(
        "CREATE TABLE id_sequences (name text PRIMARY KEY, last_value bigint);
         INSERT INTO id_sequences VALUES ('a', NULL), ('b', -1), ('c', 5), ('d', 1::bigint << 40)",
    );
    let mut backend = open(&url, Layout::name()).unwrap();
    let key = |name: &str| Key::new([name]).unwrap();
    let batch: Vec<_> = ["a", "b", "c", "d", "e"].iter().map(|name| next(&key(name), 1)).collect();
    for _ in 0..2 {
        let outcomes = backend.commit(&batch).unwrap();
        let found = |i: usize| match &outcomes[i] {
            Err(SequenceError::Counter { found, .. }) => found.as_str(),
            other => panic!("{other:?}"),
        };
        assert_eq!((found(0), found(1)), ("NULL", "-1"));
        assert!(outcomes[2].is_ok());
        assert!(matches!(outcomes[3], Err(SequenceError::Exhausted { .. })));
        assert!(matches!(outcomes[4], Err(SequenceError::NoSequence { .. })));
    }
    let counters = backend.counters().unwrap();
    let states: Vec<_> = counters.iter().map(|(_, last)| last.as_ref().ok().copied()).collect();
    assert_eq!(states, [None, None, Some(7), None]);
    // One that makes no sense is not put right by a raise.
    let raised = ask(&mut backend, Action::Raise { key: key("b"), to: 9 }.into());
    assert!(matches!(raised, Err(SequenceError::Counter { .. })));
}

#[test]
fn servers_that_start_together_make_the_tables_once() {
    let url = database("SELECT");
    let layouts = [Layout::registry(), Layout::registry(), Layout::registry(), Layout::registry()];
    std::thread::scope(|scope| {
        for layout in layouts {
            scope.spawn(|| making(&url, layout).unwrap());
        }
    });
    let recorded = "SELECT string_agg(name, ' ' ORDER BY name) FROM orchestrator_migrations";
    let recorded = block_on(async { text(&connect(&url).await, recorded).await });
    assert_eq!(recorded, "0001_id_registry 0002_id_reservations 0006_orchestrator_idempotency");
}

#[test]
fn a_table_of_sequences_that_was_lost_never_comes_back_empty() {
    let custom = Layout::custom("numbers", &["kind"], "hi", "{kind}-{n}").unwrap();
    let cluster = Cluster::shared();
    for layout in [Layout::registry(), Layout::prefix_type(), Layout::name(), custom] {
        let database = cluster.database();
        let url = cluster.url(&database);
        let table = layout.quoted_table();
        let mut backend = making(&url, layout.clone()).unwrap();
        cluster.execute(&database, &format!("DROP TABLE {table}, orchestrator_idempotency"));
        assert!(backend.counters().is_err());
        for made in [making(&url, layout.clone()), making(&url, layout)] {
            let error = made.unwrap_err();
            assert!(matches!(error, SequenceError::NoTable { .. }), "{error}");
        }
    }
}

#[test]
fn tables_in_a_schema_of_their_own() {
    let url = database("CREATE SCHEMA app");
    let layout = Layout::custom("app.numbers", &["kind", "n"], "hi", "{kind}-{n}");
    let layout = layout.unwrap().with_missing_row(MissingRow::Starts);
    let mut backend = making(&url, layout).unwrap();
    let key = Key::new(["A", "B"]).unwrap();
    assert_eq!(range(ask(&mut backend, next(&key, 2))), (1, 2));
    assert_eq!(range(ask(&mut backend, next(&key, 1))), (3, 3));
}

#[test]
fn a_server_that_answers_before_it_is_durable_is_told_to_wait() {
    let database = Cluster::shared().database();
    let setting = format!("ALTER DATABASE {database} SET synchronous_commit TO off");
    Cluster::shared().execute(&database, &setting);
    let url = Cluster::shared().url(&database);
    let mut backend = making(&url, Layout::registry()).unwrap();
    Cluster::shared().execute(
        &database,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF current_setting('synchronous_commit') = 'off' THEN
                 RAISE 'not durable';
             END IF;
             RETURN NULL; END $$;
         CREATE TRIGGER refuse AFTER INSERT OR UPDATE ON id_registry
             FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    // 1 was taken by the statement behind which the trigger was seen.
    assert_eq!(range(ask(&mut backend, next(&us(), 1))), (2, 2));
}

/// A trigger on the counters that does something, before or after it.
fn trigger(when: &str, does: &str) -> String {
    format!(
        "CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {does} END $$;
         CREATE TRIGGER theirs {when} ON id_registry FOR EACH ROW EXECUTE FUNCTION theirs()"
    )
}

#[test]
fn a_counter_that_a_trigger_holds_issues_nothing() {
    let back = "IF new.last_assigned_id <> 7 THEN
         UPDATE id_registry SET last_assigned_id = 7; END IF; RETURN NULL;";
    for (when, does, is_there) in [
        ("BEFORE UPDATE", "RETURN old;", true),
        ("BEFORE UPDATE", "new.last_assigned_id = 3; RETURN new;", true),
        ("BEFORE UPDATE", "RETURN NULL;", true),
        ("AFTER UPDATE", back, true),
        ("BEFORE INSERT", "RETURN NULL;", false),
    ] {
        let database = Cluster::shared().database();
        let url = Cluster::shared().url(&database);
        let mut backend = making(&url, Layout::registry()).unwrap();
        if is_there {
            assert_eq!(range(ask(&mut backend, next(&us(), 7))), (1, 7));
        }
        Cluster::shared().execute(&database, &trigger(when, does));
        let raise = Action::Raise { key: us(), to: 9 }.into();
        for request in [next(&us(), 1), reserve(&us(), 2, HOUR), raise] {
            let error = ask(&mut open(&url, Layout::registry()).unwrap(), request).unwrap_err();
            assert!(matches!(error, SequenceError::Database { .. }), "{when} {does}: {error:?}");
        }
        Cluster::shared().execute(&database, "DROP TRIGGER theirs ON id_registry");
        let first = if is_there { 8 } else { 1 };
        let mut backend = open(&url, Layout::registry()).unwrap();
        assert_eq!(range(ask(&mut backend, next(&us(), 1))), (first, first));
    }
}

#[test]
fn a_trigger_that_is_added_while_a_connection_is_open_is_seen() {
    for isolation in [Isolation::ReadCommitted, Isolation::Serializable] {
        a_trigger_that_is_added_is_seen_by(isolation);
    }
}

fn a_trigger_that_is_added_is_seen_by(isolation: Isolation) {
    let back = "IF new.last_assigned_id <> 7 THEN
         UPDATE id_registry SET last_assigned_id = 7; END IF; RETURN NULL;";
    for (when, does) in [
        ("TRIGGER theirs BEFORE UPDATE ON id_registry", "RETURN old;"),
        ("TRIGGER theirs BEFORE UPDATE ON id_registry", "new.last_assigned_id = 7; RETURN new;"),
        ("TRIGGER theirs AFTER UPDATE ON id_registry", back),
        (
            "CONSTRAINT TRIGGER theirs AFTER UPDATE ON id_registry DEFERRABLE INITIALLY DEFERRED",
            back,
        ),
    ] {
        let database = Cluster::shared().database();
        let url = Cluster::shared().url(&database);
        let mut teller = making(&url, Layout::registry()).unwrap();
        // Others that have told nothing, and know of no trigger.
        let mut others = [isolation; 3].map(|isolation| at(&url, isolation));
        assert_eq!(range(ask(&mut teller, next(&us(), 7))), (1, 7));
        Cluster::shared().execute(
            &database,
            &format!(
                "CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {does} END $$;
                 CREATE {when} FOR EACH ROW EXECUTE FUNCTION theirs()"
            ),
        );
        let raise = Action::Raise { key: us(), to: 9 }.into();
        for (other, request) in
            others.iter_mut().zip([next(&us(), 1), reserve(&us(), 2, HOUR), raise])
        {
            let error = ask(other, request).unwrap_err();
            assert!(matches!(error, SequenceError::Database { .. }), "{when} {does}: {error:?}");
        }
        assert!(ask(&mut teller, next(&us(), 1)).is_err());
        Cluster::shared().execute(&database, "DROP TRIGGER theirs ON id_registry");
        // What a trigger was seen to touch is told to nobody, and may be a gap.
        let told: Vec<u32> =
            others.iter_mut().map(|other| range(ask(other, next(&us(), 1))).0).collect();
        assert!(told[0] > 7 && told[0] < told[1] && told[1] < told[2], "{when} {does}: {told:?}");
    }
}

#[test]
fn a_trigger_that_comes_in_the_middle_of_a_batch_is_seen() {
    for isolation in [Isolation::ReadCommitted, Isolation::Serializable] {
        a_trigger_that_comes_in_the_middle_is_seen_by(isolation);
    }
}

fn at(url: &str, isolation: Isolation) -> PostgresBackend {
    let options = PostgresOptions { isolation, ..PostgresOptions::default() };
    PostgresBackend::open(url, Layout::registry(), options).unwrap()
}

fn a_trigger_that_comes_in_the_middle_is_seen_by(isolation: Isolation) {
    let database = Cluster::shared().database();
    let url = Cluster::shared().url(&database);
    let mut teller = making(&url, Layout::registry()).unwrap();
    let mut others = [(); 2].map(|()| at(&url, isolation));
    assert_eq!(range(ask(&mut teller, next(&us(), 7))), (1, 7));
    let adds = format!("BEGIN; {}", trigger("BEFORE UPDATE", "RETURN old;"));
    let waiting = "SELECT count(*)::text FROM pg_locks WHERE NOT granted
         AND relation = 'id_registry'::regclass";
    let replies = std::thread::scope(|scope| {
        block_on(async {
            let (client, watcher) = (connect(&url).await, connect(&url).await);
            client.batch_execute(&adds).await.unwrap();
            let requests = [next(&us(), 1), reserve(&us(), 1, HOUR)];
            let asked = others.iter_mut().zip(requests);
            let asked: Vec<_> =
                asked.map(|(other, request)| scope.spawn(move || ask(other, request))).collect();
            // Both have begun, and wait for the lock of whoever adds it.
            while text(&watcher, waiting).await != "2" {}
            client.batch_execute("COMMIT").await.unwrap();
            asked.into_iter().map(|asked| asked.join().unwrap()).collect::<Vec<_>>()
        })
    });
    for reply in replies {
        assert!(matches!(reply, Err(SequenceError::Database { .. })), "{isolation:?}: {reply:?}");
    }
}

/// On a server of its own, where no other test writes and the look for triggers is left out.
#[test]
fn a_trigger_is_seen_where_nobody_else_had_written() {
    let cluster = Cluster::private();
    for isolation in [Isolation::ReadCommitted, Isolation::Serializable] {
        for is_open_before in [false, true] {
            let database = cluster.database();
            let url = cluster.url(&database);
            let mut teller = making(&url, Layout::registry()).unwrap();
            let mut other = at(&url, isolation);
            assert_eq!(range(ask(&mut teller, next(&us(), 7))), (1, 7));
            let five = |other: &mut PostgresBackend| {
                let told: Vec<_> = (0..5).map(|_| range(ask(other, next(&us(), 1))).0).collect();
                assert!(told.is_sorted_by(|one, two| one < two), "{told:?}");
            };
            let adds = trigger("BEFORE UPDATE", "RETURN old;");
            block_on(async {
                let client = connect(&url).await;
                if is_open_before {
                    // It has its number before those five have theirs.
                    client.batch_execute("BEGIN; SELECT txid_current()").await.unwrap();
                    five(&mut other);
                    client.batch_execute(&format!("{adds}; COMMIT")).await.unwrap();
                } else {
                    five(&mut other);
                    client.batch_execute(&adds).await.unwrap();
                }
            });
            let reply = ask(&mut other, next(&us(), 1));
            assert!(
                matches!(reply, Err(SequenceError::Database { .. })),
                "{isolation:?}, {is_open_before}: {reply:?}"
            );
            cluster.execute(&database, "DROP TRIGGER theirs ON id_registry");
            five(&mut other);
        }
    }
}

#[test]
fn a_trigger_that_is_younger_than_the_callers_snapshot_is_seen() {
    use tokio_postgres::IsolationLevel::{ReadCommitted, RepeatableRead, Serializable};
    for isolation in [ReadCommitted, RepeatableRead, Serializable] {
        let database = Cluster::shared().database();
        let url = Cluster::shared().url(&database);
        let mut teller = making(&url, Layout::registry()).unwrap();
        assert_eq!(range(ask(&mut teller, next(&us(), 7))), (1, 7));
        block_on(async {
            let (mut client, other) = (connect(&url).await, connect(&url).await);
            let transaction = client.build_transaction().isolation_level(isolation);
            let transaction = transaction.start().await.unwrap();
            transaction.batch_execute("SELECT 1 FROM id_registry").await.unwrap();
            other.batch_execute(&trigger("BEFORE UPDATE", "RETURN old;")).await.unwrap();
            let issued = allocate(&transaction, &Layout::registry(), &us(), 1).await;
            assert!(
                matches!(issued, Err(SequenceError::Database { .. })),
                "{isolation:?}: {issued:?}"
            );
        });
    }
}

#[test]
fn a_trigger_that_does_no_harm_costs_nobody_a_number() {
    let url = database(&format!(
        "{THEIRS}; {}",
        trigger("BEFORE INSERT OR UPDATE", "new.note = 'seen'; RETURN new;")
    ));
    let mut backend = open(&url, Layout::registry()).unwrap();
    let beta = Key::new(["US", "beta"]).unwrap();
    let outcomes = backend.commit(&[next(&us(), 2), next(&beta, 1), next(&us(), 1)]).unwrap();
    let ranges: Vec<_> = outcomes.into_iter().map(range).collect();
    assert_eq!(ranges, [(28, 29), (1, 1), (30, 30)]);
}

#[test]
fn tables_of_another_shape_beside_the_sequences_cost_only_who_needs_them() {
    let url = database(&format!(
        "{THEIRS}; CREATE TABLE id_reservations (reservation_id int, guest text);
         CREATE TABLE orchestrator_idempotency (scope int)"
    ));
    let mut backend = open(&url, Layout::registry()).unwrap();
    let batch = [next(&us(), 1), reserve(&us(), 1, HOUR), once(next(&us(), 1), "t", "k")];
    let [issued, held, kept] = <[_; 3]>::try_from(backend.commit(&batch).unwrap()).unwrap();
    assert_eq!(range(issued), (28, 28));
    for refused in [held, kept] {
        assert!(matches!(refused, Err(SequenceError::Database { .. })), "{refused:?}");
    }
}

#[test]
fn a_reservation_of_theirs_that_nobody_has_decided_on_is_not_confirmed() {
    let expire = || Action::Expire { grace: std::time::Duration::ZERO }.into();
    for (key, parts) in [
        (", PRIMARY KEY (reservation_id))", ""),
        (
            ") PARTITION BY LIST (project_id)",
            "; CREATE TABLE a PARTITION OF id_reservations FOR VALUES IN ('alpha');
             CREATE TABLE b PARTITION OF id_reservations FOR VALUES IN ('beta')",
        ),
    ] {
        let url = database(&format!(
            "{THEIRS}; CREATE TABLE id_reservations (reservation_id uuid DEFAULT gen_random_uuid(),
                 artifact_type text, project_id text, reserved_ids text[],
                 expires_at timestamptz, confirmed boolean{key}{parts};
             INSERT INTO id_reservations (project_id, expires_at, confirmed)
             SELECT p, t::timestamptz, c FROM unnest('{{2020-01-01,9999-01-01}}'::text[]) t,
                 unnest('{{NULL,false,true}}'::bool[]) c, unnest('{{alpha,beta}}'::text[]) p
             ORDER BY p, (p = 'alpha') = (t > '3')"
        ));
        let mut backend = open(&url, Layout::registry()).unwrap();
        let reply = ask(&mut backend, expire()).unwrap();
        assert_eq!(reply, Reply::Expired { deleted: 4, is_all: true });
        let left = "SELECT string_agg(reservation_id::text, ' ') FROM id_reservations";
        let left = block_on(async { text(&connect(&url).await, left).await });
        assert_eq!(left.split(' ').count(), 8);
        for id in left.split(' ') {
            let id = id.parse().unwrap();
            assert_eq!(
                ask(&mut backend, Action::Confirm(id).into()).unwrap(),
                Reply::Confirmed(id)
            );
        }
    }
}

#[test]
fn who_may_make_no_tables_uses_those_that_are_there() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let url = cluster.url(&database);
    drop(making(&url, Layout::registry()).unwrap());
    let role = format!("clerk_{database}");
    cluster.execute(
        &database,
        &format!(
            "CREATE ROLE {role} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};
             CREATE ROLE {role}_reader LOGIN; GRANT SELECT ON id_registry TO {role}_reader;
             CREATE ROLE {role}_part LOGIN; GRANT ALL ON id_reservations TO {role}_part;
             GRANT SELECT, INSERT, UPDATE (last_assigned_id, updated_at) ON id_registry
                 TO {role}_part"
        ),
    );
    let as_role = |role: &str| url.replace("orchestrator@", &format!("{role}@"));
    let mut backend = making(&as_role(&role), Layout::registry()).unwrap();
    assert_eq!(range(ask(&mut backend, reserve(&us(), 2, HOUR))), (1, 2));
    // Who may only read sees where the sequences stand.
    let mut reader = open(&as_role(&format!("{role}_reader")), Layout::registry()).unwrap();
    assert!(matches!(reader.counters().unwrap().as_slice(), [(_, Ok(2))]));
    assert!(ask(&mut reader, next(&us(), 1)).is_err());
    // Who may write to some columns alone may not lock the table.
    let mut part = open(&as_role(&format!("{role}_part")), Layout::registry()).unwrap();
    assert_eq!(range(ask(&mut part, reserve(&us(), 2, HOUR))), (3, 4));
    assert_eq!(range(ask(&mut part, next(&us(), 1))), (5, 5));
    cluster.execute(&database, &trigger("BEFORE UPDATE", "RETURN old;"));
    for request in [reserve(&us(), 1, HOUR), next(&us(), 1)] {
        let error = ask(&mut part, request).unwrap_err();
        assert!(matches!(error, SequenceError::Database { .. }), "{error:?}");
    }
}

#[test]
fn a_server_that_does_not_let_us_in_is_not_tried_again() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let url = cluster.url(&database);
    for bad in [cluster.url("no_such_database"), url.replace("orchestrator@", "nobody_known@")] {
        let error = open(&bad, Layout::registry()).unwrap_err();
        assert!(matches!(error, SequenceError::Database { .. }), "{error:?}");
    }
}

#[test]
fn a_reservation_that_is_not_kept_is_not_told() {
    let database = Cluster::shared().database();
    let url = Cluster::shared().url(&database);
    let mut backend = making(&url, Layout::registry()).unwrap();
    Cluster::shared().execute(
        &database,
        "CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
         CREATE TRIGGER theirs BEFORE INSERT ON id_reservations
             FOR EACH ROW EXECUTE FUNCTION theirs()",
    );
    let outcomes = backend.commit(&[reserve(&us(), 2, HOUR), next(&us(), 1)]).unwrap();
    let [held, taken] = <[_; 2]>::try_from(outcomes).unwrap();
    assert!(matches!(held, Err(SequenceError::Database { .. })), "{held:?}");
    range(taken);
    // A request that is repeated is told of none that was not kept.
    let again = once(reserve(&us(), 2, HOUR), "agent", "k");
    ask(&mut backend, again.clone()).unwrap_err();
    Cluster::shared().execute(&database, "DROP TRIGGER theirs ON id_reservations");
    assert!(matches!(ask(&mut backend, again).unwrap(), Reply::Reserved(_)));
    // Nor may one be taken away again, or the counter that it came from.
    for does in ["DELETE FROM id_reservations", "UPDATE id_registry SET last_assigned_id = 1"] {
        Cluster::shared().execute(
            &database,
            &format!(
                "CREATE OR REPLACE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN {does}; RETURN NULL; END $$; \
                 CREATE TRIGGER theirs AFTER INSERT ON id_reservations \
                 FOR EACH ROW EXECUTE FUNCTION theirs()"
            ),
        );
        let before = range(ask(&mut backend, next(&us(), 1))).1;
        let error = ask(&mut backend, reserve(&us(), 2, HOUR)).unwrap_err();
        assert!(matches!(error, SequenceError::Database { .. }), "{does}: {error:?}");
        assert_eq!(range(ask(&mut backend, next(&us(), 1))).0, before + 1, "{does}");
        Cluster::shared().execute(&database, "DROP TRIGGER theirs ON id_reservations");
    }
    let on_answers = "CREATE TRIGGER theirs AFTER INSERT ON orchestrator_idempotency \
                      FOR EACH ROW EXECUTE FUNCTION theirs()";
    Cluster::shared().execute(&database, on_answers);
    let before = range(ask(&mut backend, next(&us(), 1))).1;
    let error = ask(&mut backend, once(next(&us(), 1), "agent", "other")).unwrap_err();
    assert!(matches!(error, SequenceError::Database { .. }), "{error:?}");
    assert_eq!(range(ask(&mut backend, next(&us(), 1))).0, before + 1);
    // A table that a crash empties keeps none either.
    Cluster::shared().execute(&database, "ALTER TABLE id_reservations SET UNLOGGED");
    let mut backend = open(&url, Layout::registry()).unwrap();
    let error = ask(&mut backend, reserve(&us(), 2, HOUR)).unwrap_err();
    assert!(error.to_string().contains("a crash of the server empties"), "{error}");
    range(ask(&mut backend, next(&us(), 1)));
}
