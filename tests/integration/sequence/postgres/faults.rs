//! Connections that are lost, servers that go and come back, others in the way: no
//! number is told twice, and none that is not on disk.

use std::time::{Duration, Instant};

use orchestrator::sequence::postgres::{Isolation, PostgresBackend, PostgresOptions};
use orchestrator::sequence::{Backend, Key, Layout, SequenceError};

use super::super::conformance::{HOUR, ask, next, once, range, reserve, us};
use crate::support::{Cluster, Proxy};

const BOTH: [Isolation; 2] = [Isolation::Serializable, Isolation::ReadCommitted];

fn open(url: &str, isolation: Isolation) -> PostgresBackend {
    let options = PostgresOptions { isolation, make_tables: true, ..PostgresOptions::default() };
    PostgresBackend::open(url, Layout::registry(), options).unwrap()
}

#[test]
fn an_answer_that_is_lost_with_the_commit_leaves_a_gap() {
    for isolation in BOTH {
        let database = Cluster::shared().database();
        let proxy = Proxy::before(Cluster::shared().socket());
        let mut backend = open(&proxy.url(&database), isolation);
        assert_eq!(range(ask(&mut backend, next(&us(), 1))), (1, 1));
        proxy.swallow_an_answer();
        let error = ask(&mut backend, next(&us(), 5)).unwrap_err();
        assert!(matches!(error, SequenceError::OutcomeUnknown { .. }), "{error}");
        assert_eq!(range(ask(&mut backend, next(&us(), 1))), (7, 7));
    }
}

#[test]
fn what_is_lost_before_the_commit_is_done_again() {
    for isolation in BOTH {
        let database = Cluster::shared().database();
        let proxy = Proxy::before(Cluster::shared().socket());
        let mut backend = open(&proxy.url(&database), isolation);
        proxy.swallow_an_answer();
        assert_eq!(range(ask(&mut backend, reserve(&us(), 3, HOUR))), (1, 3));
        assert_eq!(proxy.accepted(), 2);
        assert_eq!(range(ask(&mut backend, next(&us(), 1))), (4, 4));
    }
}

#[test]
fn a_connection_that_is_reset_between_batches_costs_nothing() {
    let database = Cluster::shared().database();
    let proxy = Proxy::before(Cluster::shared().socket());
    let mut backend = open(&proxy.url(&database), Isolation::Serializable);
    for n in 1..=5 {
        assert_eq!(range(ask(&mut backend, next(&us(), 1))), (n, n));
        proxy.cut_all();
    }
    assert_eq!(backend.counters().unwrap().len(), 1);
}

#[test]
fn a_server_that_cannot_be_reached_is_an_error_and_recovery_needs_no_restart() {
    let database = Cluster::shared().database();
    let proxy = Proxy::before(Cluster::shared().socket());
    let mut backend = open(&proxy.url(&database), Isolation::Serializable);
    for n in 1..=2 {
        proxy.refuse(true);
        proxy.cut_all();
        let (before, begin) = (proxy.accepted(), Instant::now());
        let error = ask(&mut backend, next(&us(), 1)).unwrap_err();
        assert!(matches!(error, SequenceError::Unreachable { .. }), "{error}");
        assert!(!error.is_outcome_unknown());
        // At once, and after 100, 200 and 400 ms.
        assert!(begin.elapsed() >= Duration::from_millis(700));
        assert!(proxy.accepted() > before);
        proxy.refuse(false);
        assert_eq!(range(ask(&mut backend, next(&us(), 1))), (n, n));
    }
}

#[test]
fn a_row_that_another_program_keeps_is_waited_for_and_then_busy() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    for isolation in BOTH {
        let busy_for = Duration::from_millis(300);
        let options = PostgresOptions { busy_for, ..PostgresOptions::default() };
        let options = PostgresOptions { isolation, make_tables: true, ..options };
        let url = cluster.url(&database);
        let mut backend = PostgresBackend::open(&url, Layout::registry(), options).unwrap();
        ask(&mut backend, next(&us(), 1)).unwrap();
        super::block_on(async {
            let mut other = super::connect(&url).await;
            let transaction = other.transaction().await.unwrap();
            let keep = "SELECT FROM id_registry FOR UPDATE";
            transaction.execute(keep, &[]).await.unwrap();
            for request in [next(&us(), 1), reserve(&us(), 1, HOUR)] {
                let error = ask(&mut backend, request).unwrap_err();
                assert!(matches!(error, SequenceError::Busy { .. }), "{error}");
            }
        });
        ask(&mut backend, next(&us(), 1)).unwrap();
    }
    // So is a table, also by who comes to it just then.
    super::block_on(async {
        let url = cluster.url(&database);
        let mut other = super::connect(&url).await;
        let transaction = other.transaction().await.unwrap();
        transaction.execute("LOCK TABLE id_registry", &[]).await.unwrap();
        let busy_for = Duration::from_millis(300);
        let options = PostgresOptions { busy_for, ..PostgresOptions::default() };
        let error = PostgresBackend::open(&url, Layout::registry(), options).unwrap_err();
        assert!(matches!(error, SequenceError::Busy { .. }), "{error}");
    });
    // Two that got a number, twice.
    let mut backend = open(&cluster.url(&database), Isolation::Serializable);
    assert!(matches!(backend.counters().unwrap()[0].1, Ok(4)));
}

#[test]
fn a_row_that_is_let_go_in_time_is_waited_for() {
    let url = Cluster::shared().url(&Cluster::shared().database());
    let busy_for = Duration::from_secs(3600);
    let options = PostgresOptions { busy_for, make_tables: true, ..PostgresOptions::default() };
    let mut backend = PostgresBackend::open(&url, Layout::registry(), options).unwrap();
    ask(&mut backend, next(&us(), 1)).unwrap();
    let waiting = "SELECT count(*)::text FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    super::block_on(async {
        let (mut other, watcher) = (super::connect(&url).await, super::connect(&url).await);
        let transaction = other.transaction().await.unwrap();
        transaction.execute("SELECT FROM id_registry FOR UPDATE", &[]).await.unwrap();
        let asked = std::thread::spawn(move || ask(&mut backend, next(&us(), 1)));
        while super::text(&watcher, waiting).await == "0" {}
        transaction.commit().await.unwrap();
        assert_eq!(range(asked.join().unwrap()), (2, 2));
    });
}

#[test]
fn a_rule_that_refuses_at_the_commit_costs_only_who_breaks_it() {
    for isolation in BOTH {
        let database = Cluster::shared().database();
        let url = Cluster::shared().url(&database);
        let mut backend = open(&url, isolation);
        Cluster::shared().execute(
            &database,
            "CREATE TABLE projects (id text PRIMARY KEY);
             INSERT INTO projects VALUES ('alpha');
             ALTER TABLE id_registry ADD FOREIGN KEY (project_id) REFERENCES projects
                 DEFERRABLE INITIALLY DEFERRED",
        );
        let none = Key::new(["US", "none"]).unwrap();
        let refuses = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF new.project_id = 'none' THEN
                     RAISE 'refused' USING ERRCODE = 'check_violation';
                 END IF;
                 RETURN NULL; END $$;
             ALTER TABLE id_registry DROP CONSTRAINT id_registry_project_id_fkey;
             CREATE CONSTRAINT TRIGGER refuse AFTER INSERT OR UPDATE ON id_registry
                 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()";
        let mut last = 0;
        for rule in ["SELECT", refuses] {
            Cluster::shared().execute(&database, rule);
            for batch in [
                [next(&us(), 1), next(&none, 1), next(&us(), 2)],
                [reserve(&us(), 1, HOUR), reserve(&none, 1, HOUR), next(&us(), 2)],
            ] {
                let outcomes = backend.commit(&batch).unwrap();
                let [one, refused, other] = <[_; 3]>::try_from(outcomes).unwrap();
                assert!(matches!(refused, Err(SequenceError::Database { .. })), "{refused:?}");
                let (one, other) = (range(one), range(other));
                assert!(one.0 > last && other.0 > one.1, "{one:?} {other:?}");
                last = other.1;
            }
        }
        // None of those that were refused has a row, and none of theirs was reserved.
        let counters = backend.counters().unwrap();
        assert!(matches!(counters.as_slice(), [(key, Ok(_))] if *key == us()), "{counters:?}");
        let held = "SELECT string_agg(project_id, ' ') FROM id_reservations";
        let held = super::block_on(async { super::text(&super::connect(&url).await, held).await });
        assert_eq!(held, "alpha alpha");
    }
}

#[test]
fn a_request_that_two_servers_get_at_once_has_one_answer() {
    const ROUNDS: u32 = 20;
    for isolation in BOTH {
        let url = Cluster::shared().url(&Cluster::shared().database());
        drop(open(&url, isolation));
        let program = || {
            let mut backend = open(&url, isolation);
            let asked = (0..ROUNDS).map(|n| {
                let request = once(next(&us(), 1), "token/next", &n.to_string());
                range(ask(&mut backend, request)).0
            });
            asked.collect::<Vec<u32>>()
        };
        let (one, other) = std::thread::scope(|scope| {
            let one = scope.spawn(program);
            let other = scope.spawn(program);
            (one.join().unwrap(), other.join().unwrap())
        });
        assert_eq!(one, other);
        let mut counters = open(&url, isolation).counters().unwrap();
        assert_eq!(counters.remove(0).1.unwrap(), ROUNDS);
    }
}

#[test]
fn transactions_have_the_isolation_that_was_asked_for() {
    for (isolation, name) in BOTH.into_iter().zip(["serializable", "read committed"]) {
        let database = Cluster::shared().database();
        let url = Cluster::shared().url(&database);
        let mut backend = open(&url, isolation);
        Cluster::shared().execute(
            &database,
            "CREATE TABLE seen (isolation text);
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO seen VALUES (current_setting('transaction_isolation'));
                 RETURN NULL; END $$;
             CREATE TRIGGER note AFTER INSERT OR UPDATE ON id_registry
                 FOR EACH ROW EXECUTE FUNCTION note()",
        );
        for request in [next(&us(), 1), next(&us(), 1), reserve(&us(), 1, HOUR)] {
            ask(&mut backend, request).unwrap();
        }
        let seen = super::block_on(async {
            let client = super::connect(&url).await;
            super::text(&client, "SELECT string_agg(isolation, ', ') FROM seen").await
        });
        // The first numbers are taken twice: they were, before the trigger was seen.
        assert_eq!(seen, [name; 4].join(", "));
    }
}
