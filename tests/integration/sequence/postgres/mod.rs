//! Sequences in PostgreSQL, on servers that the tests start.

mod callers;
mod faults;
#[cfg(feature = "runtime")]
mod load;
mod rig;
mod suite;
mod tables;
mod tls;

use tokio_postgres::NoTls;

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(async move { connection.await.is_ok() });
    client
}

async fn text(client: &tokio_postgres::Client, query: &str) -> String {
    client.query_one(query, &[]).await.unwrap().get(0)
}
