//! The same commands on PostgreSQL.

use std::collections::BTreeSet;

use super::workshop::Workshop;
use crate::support::{Answer, Cluster, program};

/// Runs `id` on a database.
fn id(workshop: &Workshop, url: &str, line: &str) -> Answer {
    let mut command = program(workshop.project.root());
    command.arg("id").args(line.split_whitespace()).args(["--db", url]);
    Answer::of(command, "")
}

#[test]
fn numbers_are_issued_adopted_and_checked() {
    let cluster = Cluster::shared();
    let url = &cluster.url(&cluster.database());
    let workshop = Workshop::empty();
    let us = "--project shop --type US";
    id(&workshop, url, &format!("next {us}")).fails(3);
    workshop.file("docs/US-027_x.md", "---\nid: US-027\n---\n");
    let sync = "sync --project shop --from-files docs/*.md --create";
    assert_eq!(id(&workshop, url, &format!("{sync} --dry-run")).ok(), "US/shop\t-\t27\tnew\n");
    id(&workshop, url, &format!("next {us}")).fails(3);
    assert_eq!(id(&workshop, url, sync).ok(), "US/shop\t-\t27\tnew\n");
    assert_eq!(id(&workshop, url, sync).ok(), "US/shop\t27\t27\tunchanged\n");
    let next = id(&workshop, url, &format!("next {us} --json")).data("id");
    assert_eq!((next["id"].as_str(), next["previous"].as_str()), (Some("US-028"), Some("US-027")));
    workshop.file("docs/US-030.md", "");
    let status = "status --project shop --from-files docs/*.md";
    let stale = id(&workshop, url, status);
    assert_eq!((stale.code, stale.stdout.as_str()), (1, "US/shop\tSTALE\t28\t30\tUS-029\n"));
    assert_eq!(
        id(&workshop, url, &sync.replace(" --create", "")).ok(),
        "US/shop\t28\t30\traised\n"
    );
    let held = id(&workshop, url, &format!("reserve --count 2 {us} --json")).data("reservation");
    assert_eq!(held["ids"][1], "US-032");
    let reservation = held["reservation_id"].as_str().unwrap();
    id(&workshop, url, &format!("confirm {reservation}")).ok();
    assert_eq!(id(&workshop, url, "expire").ok(), "0 deleted\n");
}

#[test]
fn a_column_of_theirs_is_adopted() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let url = &cluster.url(&database);
    cluster.execute(
        &database,
        "CREATE TABLE credit_lines (id text PRIMARY KEY, nr bigint); \
         INSERT INTO credit_lines VALUES ('CL0041', 7), ('x', NULL)",
    );
    let workshop = Workshop::empty();
    let sync = "sync --name credit_lines --create --from-column credit_lines.id";
    assert_eq!(id(&workshop, url, sync).ok(), "credit_lines\t-\t41\tnew\n");
    assert_eq!(id(&workshop, url, "next --name credit_lines").ok(), "CL042\n");
    let number = "sync --name credit_lines --from-column public.credit_lines.nr";
    assert_eq!(id(&workshop, url, number).ok(), "credit_lines\t42\t42\tunchanged\n");
    id(&workshop, url, "sync --name credit_lines --from-column credit_lines.none").fails(8);
}

#[test]
fn a_table_that_has_the_name_in_another_case_is_not_made_anew() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    cluster.execute(&database, "CREATE TABLE Tickets (k text PRIMARY KEY, v bigint NOT NULL)");
    let url = &cluster.url(&database);
    let workshop = Workshop::empty();
    let named = "--table Tickets --value-column v --format T{n} --key k=a";
    workshop.file("T7.md", "");
    let sync = format!("sync --create --from-files *.md {named}");
    let error = id(&workshop, url, &sync).fails(8);
    assert!(error.contains("there is the table tickets"), "{error}");
    let small = sync.replace("Tickets", "tickets");
    assert_eq!(id(&workshop, url, &small).ok(), "a\t-\t7\tnew\n");
}

/// What a policy hides would be issued again.
#[test]
fn a_column_whose_rows_are_hidden_is_an_error() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    cluster.execute(
        &database,
        "CREATE TABLE credit_lines (id text PRIMARY KEY, tenant text); \
         INSERT INTO credit_lines VALUES ('CL010', 'a'), ('CL011', 'b'); \
         ALTER TABLE credit_lines ENABLE ROW LEVEL SECURITY; \
         ALTER TABLE credit_lines FORCE ROW LEVEL SECURITY; \
         CREATE POLICY own ON credit_lines USING (tenant = 'a')",
    );
    cluster.execute(&database, &format!("CREATE ROLE r{database} LOGIN; GRANT ALL ON credit_lines TO r{database}; GRANT CREATE ON SCHEMA public TO r{database}"));
    let url = cluster.url(&database).replacen("orchestrator@", &format!("r{database}@"), 1);
    let workshop = Workshop::empty();
    let sync = "sync --name credit_lines --create --from-column credit_lines.id";
    let error = id(&workshop, &url, sync).fails(8);
    assert!(error.contains("row-level security"), "{error}");
}

#[test]
fn processes_at_once_get_different_ids_and_none_that_exists() {
    let cluster = Cluster::shared();
    let url = &cluster.url(&cluster.database());
    let workshop = Workshop::empty();
    workshop.file("docs/US-0100.md", "");
    std::thread::scope(|scope| {
        let sync = "sync --project shop --from-files docs --create";
        let syncs: Vec<_> = (0..3).map(|_| scope.spawn(|| id(&workshop, url, sync))).collect();
        let next = || id(&workshop, url, "next --project shop --type US");
        let nexts: Vec<_> = (0..12).map(|_| scope.spawn(next)).collect();
        for sync in syncs {
            sync.join().unwrap().ok();
        }
        let mut told = BTreeSet::new();
        for next in nexts {
            let answer = next.join().unwrap();
            assert!(matches!(answer.code, 0 | 3), "{answer:?}");
            for line in answer.stdout.lines() {
                let number: u32 = line.trim_start_matches("US-").parse().unwrap();
                assert!(number > 100 && told.insert(number), "{line}");
            }
        }
    });
}

#[test]
fn a_lost_table_comes_back_with_its_numbers_only() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let url = &cluster.url(&database);
    let workshop = Workshop::empty();
    workshop.file("docs/US-027.md", "");
    let next = "next --project shop --type US";
    id(&workshop, url, &format!("{next} --create --count 27")).ok();
    cluster.execute(&database, "DROP TABLE id_registry");
    for line in [next.to_owned(), format!("{next} --create")] {
        assert!(id(&workshop, url, &line).fails(3).contains("id sync --rebuild"), "{line}");
    }
    let rebuild = "sync --project shop --rebuild --from-files";
    id(&workshop, url, &format!("{rebuild} none*")).fails(4);
    assert_eq!(id(&workshop, url, &format!("{rebuild} docs")).ok(), "US/shop\t-\t27\tnew\n");
    assert_eq!(id(&workshop, url, next).ok(), "US-028\n");
}

/// Who holds numbers was told them, also where the sequence is lost.
#[test]
fn what_is_reserved_counts_in_a_rebuild() {
    let tasks = "--layout prefix-type --prefix KABSD --type TSK";
    let tables = [("--project shop --type US", "id_registry"), (tasks, "id_sequences")];
    for (sequence, table) in tables {
        let cluster = Cluster::shared();
        let database = cluster.database();
        let url = &cluster.url(&database);
        let workshop = Workshop::empty();
        id(&workshop, url, &format!("next {sequence} --create --count 7")).ok();
        id(&workshop, url, &format!("reserve {sequence} --create --count 3")).ok();
        cluster.execute(&database, &format!("DROP TABLE {table}"));
        let rebuild = format!("sync {sequence} --rebuild --from-files none*");
        let dry = id(&workshop, url, &format!("{rebuild} --dry-run")).ok();
        assert!(dry.ends_with("\t-\t10\tnew\n"), "{dry}");
        assert_eq!(id(&workshop, url, &rebuild).ok(), dry);
        assert!(id(&workshop, url, &format!("next {sequence}")).ok().ends_with("11\n"));
    }
}

#[test]
fn a_server_that_is_not_there_is_told_without_the_password() {
    let workshop = Workshop::empty();
    let url = "postgres://someone:secret@127.0.0.1:1/none";
    let answer = id(&workshop, url, "next --project shop --type US --json");
    assert!(!answer.stderr.contains("secret"), "{answer:?}");
    assert_eq!(answer.error(8)["code"], "database");
    for none in ["POSTGRES://someone:secret@h/none", "postgres:/someone:secret@h/none"] {
        let answer = id(&workshop, none, "next --project shop --type US");
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(!answer.stderr.contains("secret"), "{answer:?}");
        assert!(answer.stderr.contains("someone:…@h/none"), "{answer:?}");
    }
    // A server that is only away knows more than the files do.
    let scan = "next --project shop --type US --fallback scan --from-files .";
    id(&workshop, url, scan).fails(8);
}

#[test]
fn where_sequences_stand_is_shown_by_a_server_that_takes_no_writes() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let url = &cluster.url(&database);
    let workshop = Workshop::empty();
    id(&workshop, url, "next --project shop --type US --create").ok();
    let setting = format!("ALTER DATABASE {database} SET default_transaction_read_only TO on");
    cluster.execute(&database, &setting);
    assert_eq!(id(&workshop, url, "status").ok(), "US/shop\tOK\t1\t-\tUS-002\n");
    workshop.file("docs/US-007.md", "");
    let dry = "sync --project shop --from-files docs --dry-run";
    assert_eq!(id(&workshop, url, dry).ok(), "US/shop\t1\t7\traised\n");
    id(&workshop, url, "next --project shop --type US").fails(8);
}
