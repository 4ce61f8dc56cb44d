//! A private PostgreSQL: one that all tests of a run share, with a database for
//! each, and others that a test may stop and start.
//!
//! The script `tests/postgres` runs the server. It ends it when the run has ended,
//! in whatever way: with nextest, which has a process for each test, the run is
//! nextest's process, elsewhere this one. Where there is no PostgreSQL, what asks
//! for one fails and names `scripts/setup`; nothing is skipped.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to start or to end on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);

/// A PostgreSQL server that nobody else uses.
pub(crate) struct Cluster {
    folder: PathBuf,
    /// The script that runs it, where this process has started it.
    script: Option<Child>,
}

impl Cluster {
    /// Returns the server that the tests of this run share, and starts it where
    /// this is the first to ask.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| {
            let Ok(run) = std::env::var("NEXTEST_RUN_ID") else {
                return Self::start(new_folder(), std::process::id());
            };
            let folder = std::env::temp_dir().join(format!("orchestrator-postgres-{run}"));
            match fs::create_dir(&folder) {
                Ok(()) => Self::start(folder, std::os::unix::process::parent_id()),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    let cluster = Self { folder, script: None };
                    cluster.wait_until_ready();
                    cluster
                }
                Err(error) => panic!("{}: {error}", folder.display()),
            }
        })
    }

    /// Starts a server for the caller alone; it ends when the value is dropped.
    pub(crate) fn private() -> Private {
        Private(Self::start(new_folder(), std::process::id()))
    }

    fn start(folder: PathBuf, owner: u32) -> Self {
        let mut command =
            Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postgres"));
        command.arg(&folder).arg(owner.to_string());
        // A signal to the group of a test that hangs must not reach it.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let script = Some(command.spawn().expect("tests/postgres does not start"));
        let cluster = Self { folder, script };
        cluster.wait_until_ready();
        cluster
    }

    fn wait_until_ready(&self) {
        wait_until("PostgreSQL does not start", || {
            if let Ok(reason) = fs::read_to_string(self.folder.join("failed")) {
                panic!("{}", reason.trim_end());
            }
            self.folder.join("ready").exists()
        });
    }

    /// Makes an empty database and returns its name.
    pub(crate) fn database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // The number of a process comes again within a run, where many are started.
        let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_nanos());
        let name = format!("test_{}_{now}_{count}", std::process::id());
        self.execute("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0"));
        name
    }

    /// Returns the URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://orchestrator@{folder}/{database}")
    }

    /// Returns the path of the socket on which the server listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    /// Executes statements that return nothing.
    pub(crate) fn execute(&self, database: &str, statements: &str) {
        let url = self.url(database);
        let done = runtime().block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
            let connection = tokio::spawn(connection);
            let done = client.batch_execute(statements).await;
            drop(client);
            connection.await.expect("the connection panics")?;
            done
        });
        done.unwrap_or_else(|error| panic!("{statements}: {error}"));
    }
}

fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("no runtime")
}

/// A server that its holder may stop and start; ended when dropped.
pub(crate) struct Private(Cluster);

impl std::ops::Deref for Private {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.0
    }
}

impl Private {
    /// Ends the server at once, as `pg_ctl stop -m immediate` does: no connection is
    /// closed in order, nothing is written that was not on disk.
    pub(crate) fn stop_immediately(&self) {
        let server = self.folder.join("data/postmaster.pid");
        let text = fs::read_to_string(&server).expect("the server does not run");
        let pid = text.lines().next().expect("a process's number");
        let quit = Command::new("kill").args(["-QUIT", pid]).status();
        assert!(quit.is_ok_and(|status| status.success()), "the server cannot be stopped");
        wait_until("PostgreSQL does not end", || !server.exists());
    }

    /// Writes a file of the server's, for its eyes only.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.folder.join("data").join(name);
        fs::write(&path, content).expect("the server has a folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the file is ours");
        let owner = fs::metadata(self.folder.join("data")).expect("it is there").uid();
        std::os::unix::fs::chown(&path, Some(owner), None).expect("the server is ours");
    }

    /// Adds to a file of the server's.
    pub(crate) fn append(&self, name: &str, content: &str) {
        let path = self.folder.join("data").join(name);
        let before = fs::read_to_string(&path).expect("the server has it");
        self.write(name, &(before + content));
    }

    /// Starts the server again after [`Private::stop_immediately`].
    pub(crate) fn start(&self) {
        fs::remove_file(self.folder.join("ready")).expect("it was started before");
        fs::write(self.folder.join("start"), "").expect("its folder is there");
        self.wait_until_ready();
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let ended = fs::write(self.folder.join("end"), "");
        let ended = ended
            .and_then(|()| self.0.script.as_mut().map_or(Ok(()), |script| script.wait().map(drop)));
        if let Err(error) = ended {
            // A panic here would hide what the test found.
            println!("the server in {} goes on: {error}", self.folder.display());
        }
    }
}

fn new_folder() -> PathBuf {
    let folder = tempfile::Builder::new().prefix("orchestrator-postgres-").tempdir();
    folder.expect("no temporary folder").keep()
}

fn wait_until(otherwise: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "{otherwise}");
        thread::sleep(POLL);
    }
}
