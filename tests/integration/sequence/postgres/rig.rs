//! The server that the tests start is one that tells something: it keeps what it
//! has committed, is lost when the tests say so, and goes when they go.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio_postgres::NoTls;

use super::{block_on, connect, text};
use crate::support::{Cluster, Proxy};

#[test]
fn each_database_is_new_and_the_server_syncs() {
    let cluster = Cluster::shared();
    let (one, two) = (cluster.url(&cluster.database()), cluster.url(&cluster.database()));
    block_on(async {
        connect(&one).await.batch_execute("CREATE TABLE ours (n int)").await.unwrap();
        let client = connect(&two).await;
        let count = "SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'";
        assert_eq!(text(&client, count).await, "0");
        assert_eq!(text(&client, "SHOW fsync").await, "on");
        let version = text(&client, "SHOW server_version_num").await;
        assert!(version.parse::<u32>().unwrap() >= 150_000, "{version}");
    });
}

#[test]
fn a_killed_run_leaves_no_server_behind() {
    let folder = tempfile::tempdir().unwrap().keep();
    let mut owner = Command::new("sleep").arg("600").spawn().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres");
    let mut script = Command::new(script)
        .arg(&folder)
        .arg(owner.id().to_string())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while !folder.join("ready").exists() {
        assert!(begin.elapsed() < Duration::from_secs(120), "the server does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    let socket = folder.join(".s.PGSQL.5432");
    std::os::unix::net::UnixStream::connect(&socket).unwrap();
    // Killed and not yet waited for: that has to be enough.
    owner.kill().unwrap();
    assert!(script.wait().unwrap().success());
    owner.wait().unwrap();
    assert!(!folder.exists());
}

#[test]
fn a_swallowed_answer_is_work_that_was_done() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let proxy = Proxy::before(cluster.socket());
    block_on(async {
        let client = connect(&proxy.url(&database)).await;
        client.batch_execute("CREATE TABLE t (n int)").await.unwrap();
        proxy.swallow_an_answer();
        client.batch_execute("INSERT INTO t VALUES (7)").await.unwrap_err();
        let client = connect(&proxy.url(&database)).await;
        assert_eq!(text(&client, "SELECT n::text FROM t").await, "7");
        proxy.cut_all();
        client.batch_execute("INSERT INTO t VALUES (8)").await.unwrap_err();
        proxy.refuse(true);
        assert!(tokio_postgres::connect(&proxy.url(&database), NoTls).await.is_err());
        assert_eq!(proxy.accepted(), 3);
        proxy.refuse(false);
        assert_eq!(
            text(&connect(&proxy.url(&database)).await, "SELECT max(n)::text FROM t").await,
            "7"
        );
    });
}
