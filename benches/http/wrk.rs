//! The load generator `wrk`, which knows nothing of what it asks for and so sees
//! only how many answers there are.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use crate::Result;
use crate::client::Load;

/// Asks for numbers, and returns how many were told a second; for a second at least.
pub(crate) fn run(
    load: &Load,
    address: SocketAddr,
    token: &str,
    connections: usize,
) -> Result<f64> {
    let seconds = load.time.max(Duration::from_secs(1)).as_secs();
    let mut command = Command::new("wrk");
    command.args(["-t", "1", "-c", &connections.to_string(), "-d", &format!("{seconds}s")]);
    command.args(["-H", &format!("Authorization: Bearer {token}")]);
    command.arg(format!("http://{address}/ids/next?type=US&project={}", load.project));
    let output = command.output()?;
    let text = String::from_utf8(output.stdout)?;
    if !output.status.success() || text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(format!("wrk was refused: {text}").into());
    }
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    Ok(rate.ok_or("wrk tells no rate")?.trim().parse()?)
}
