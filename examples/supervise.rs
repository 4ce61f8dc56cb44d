//! The supervisor of agents as a program of its own, for tests of the runner.
//!
//! What follows the first argument goes to [`orchestrator::runner::supervise_main`],
//! as after the hidden subcommand of the real program.

use std::error::Error;
use std::process::ExitCode;

#[cfg(all(unix, feature = "runtime"))]
fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_none_or(|subcommand| subcommand != "__supervise") {
        return Err("unknown subcommand".into());
    }
    Ok(ExitCode::from(orchestrator::runner::supervise_main(args)?))
}

#[cfg(not(all(unix, feature = "runtime")))]
fn main() -> Result<ExitCode, Box<dyn Error>> {
    Err("needs Unix and the feature `runtime`".into())
}
