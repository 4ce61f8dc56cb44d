//! The suite that every backend passes, on PostgreSQL: in both isolations.

use orchestrator::sequence::Layout;
use orchestrator::sequence::postgres::{Isolation, PostgresBackend, PostgresOptions};

use crate::sequence::conformance::Store;
use crate::support::Cluster;

/// A database of its own, and how its transactions are kept apart.
struct Database<const SERIALIZABLE: bool> {
    name: String,
    layout: Layout,
}

impl<const SERIALIZABLE: bool> Database<SERIALIZABLE> {
    fn open_with(&self, make_tables: bool) -> PostgresBackend {
        let isolation =
            if SERIALIZABLE { Isolation::Serializable } else { Isolation::ReadCommitted };
        let options = PostgresOptions { isolation, make_tables, ..PostgresOptions::default() };
        let url = Cluster::shared().url(&self.name);
        PostgresBackend::open(&url, self.layout.clone(), options).unwrap()
    }
}

impl<const SERIALIZABLE: bool> Store for Database<SERIALIZABLE> {
    type Backend = PostgresBackend;

    fn new(layout: Layout) -> Self {
        let name = Cluster::shared().database();
        let database = Self { name, layout };
        drop(database.open_with(true));
        database
    }

    fn open(&self) -> PostgresBackend {
        self.open_with(false)
    }

    fn execute(&self, sql: &str) {
        Cluster::shared().execute(&self.name, sql);
    }
}

mod serializable {
    use crate::sequence::conformance::conformance;

    conformance!(super::Database<true>);

    #[cfg(feature = "runtime")]
    mod authority {
        use crate::sequence::authority::authority;

        authority!(super::super::Database<true>);
    }
}

mod read_committed {
    use crate::sequence::conformance::conformance;

    conformance!(super::Database<false>);
}
