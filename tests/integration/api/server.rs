//! The service as users start it, and the database behind it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use super::client::{Answer, Client};
use crate::support::{Cluster, program};

/// A database that a service works on.
#[derive(Clone)]
pub(super) enum Store {
    /// The embedded one, in the service's folder.
    Sqlite,
    /// A database of a server.
    Postgres(String),
}

impl Store {
    pub(super) fn postgres() -> Self {
        Self::of(Cluster::shared())
    }

    /// A new database of a server.
    pub(super) fn of(cluster: &Cluster) -> Self {
        Self::Postgres(cluster.url(&cluster.database()))
    }
}

/// A service in a folder of its own; killed when dropped.
pub(super) struct Server {
    folder: Arc<tempfile::TempDir>,
    store: Store,
    pub(super) address: SocketAddr,
    child: Child,
}

impl Server {
    pub(super) fn on(store: Store) -> Self {
        Self::with(store, &[])
    }

    pub(super) fn with(store: Store, args: &[&str]) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self::start(folder, store, "127.0.0.1:0", args)
    }

    /// Starts it in a folder where something has been made before.
    pub(super) fn within(folder: Arc<tempfile::TempDir>, args: &[&str]) -> Self {
        Self::start(folder, Store::Sqlite, "127.0.0.1:0", args)
    }

    fn start(folder: Arc<tempfile::TempDir>, store: Store, listen: &str, args: &[&str]) -> Self {
        let command = program(folder.path());
        Self::run(command, folder, store, listen, args)
    }

    /// Starts it by a command that runs the program with the arguments that are added.
    pub(super) fn run(
        mut command: Command,
        folder: Arc<tempfile::TempDir>,
        store: Store,
        listen: &str,
        args: &[&str],
    ) -> Self {
        command.env_remove("DATABASE_URL").env_remove("RUST_LOG");
        command.args(["serve", "--listen", listen]).args(args);
        if let Store::Postgres(url) = &store {
            command.args(["--db", url]);
        }
        let log = fs::File::options().create(true).append(true).open(folder.path().join("log"));
        let mut child = command.stdout(Stdio::piped()).stderr(log.unwrap()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.unwrap_or_else(|| panic!("{line:?}, {}", log_of(folder.path())));
        Self { address: address.parse().unwrap(), folder, store, child }
    }

    /// Kills it, and starts another one on the same address and database.
    pub(super) fn killed_and_started(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.start_again();
    }

    pub(super) fn start_again(&mut self) {
        let listen = self.address.to_string();
        let next = Self::start(Arc::clone(&self.folder), self.store.clone(), &listen, &[]);
        *self = next;
    }

    pub(super) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = std::process::Command::new("kill").args([name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    pub(super) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    pub(super) fn client(&self) -> Client {
        Client::connect(self.address).unwrap()
    }

    pub(super) fn get(&self, target: &str) -> Answer {
        self.client().get(target)
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Returns what was logged so far, a JSON object for each line.
    pub(super) fn log(&self) -> Vec<serde_json::Value> {
        let text = log_of(self.folder.path());
        let line =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        text.lines().map(line).collect()
    }

    /// Executes statements beside the service.
    pub(super) fn execute(&self, sql: &str) {
        match &self.store {
            Store::Sqlite => {
                let conn = self.sqlite();
                conn.execute_batch(&sql.replace("now()", "datetime('now')")).unwrap();
            }
            Store::Postgres(url) => {
                postgres(url, async |client| client.batch_execute(sql).await);
            }
        }
    }

    /// Returns the one number that a query finds.
    pub(super) fn number(&self, sql: &str) -> i64 {
        match &self.store {
            Store::Sqlite => self.sqlite().query_row(sql, [], |row| row.get(0)).unwrap(),
            Store::Postgres(url) => {
                let sql = format!("SELECT ({sql})::bigint");
                postgres(url, async |client| Ok(client.query_one(&sql, &[]).await?.get(0)))
            }
        }
    }

    pub(super) fn sqlite(&self) -> rusqlite::Connection {
        let path = self.folder.path().join(".orchestrator/ids.db");
        let conn = rusqlite::Connection::open(path).unwrap();
        conn.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
        conn
    }

    /// Sets where a sequence stands.
    pub(super) fn set(&self, project: &str, last: u32) {
        self.execute(&format!(
            "INSERT INTO id_registry (artifact_type, project_id, last_assigned_id) \
             VALUES ('US', '{project}', {last})"
        ));
    }

    /// Returns the last number issued in a project.
    pub(super) fn last(&self, project: &str) -> i64 {
        self.number(&format!(
            "SELECT last_assigned_id FROM id_registry \
             WHERE artifact_type = 'US' AND project_id = '{project}'"
        ))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        if self.child.kill().is_ok() {
            self.child.wait().unwrap();
        }
    }
}

fn log_of(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap()
}

fn postgres<T>(
    url: &str,
    f: impl AsyncFnOnce(&tokio_postgres::Client) -> Result<T, tokio_postgres::Error>,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) =
            tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let done = f(&client).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
        done
    })
}
