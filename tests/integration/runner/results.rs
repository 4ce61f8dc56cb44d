//! What an agent is given, and what of it is believed.

use std::fs;

use orchestrator::config::PromptDelivery;
use orchestrator::model::ResultCode;
use orchestrator::runner::{Exit, Outcome, Progress, RunnerError};

use super::bench::{Bench, stdout};

const DONE: &str = "result phase_complete All is well.";

#[tokio::test]
async fn a_result_is_reported_with_all_around_it() {
    let bench = Bench::scripted(&format!(
        "stdin; variable ORCHESTRATOR_ITEM; variable ORCHESTRATOR_PHASE; variable MINE; \
         variable ORCHESTRATOR_RESULT_FILE; write out.txt here; complain careful; sleep 300; \
         say the end; follow-up More; {DONE}"
    ));
    let mut bench = bench;
    bench.agent.env.insert("MINE".to_owned(), "mine".to_owned());
    bench.agent.env.insert("ORCHESTRATOR_ITEM".to_owned(), "not this one".to_owned());
    let mut seen = Vec::new();
    let report = bench.try_run(|progress| seen.push(progress)).await.unwrap();
    let result = report.outcome.result().unwrap();
    assert_eq!((result.result, result.follow_ups.len()), (ResultCode::PhaseComplete, 1));
    assert_eq!(report.exit, Some(Exit::Code(0)));
    assert_eq!(report.last_line.as_deref(), Some("the end"));
    assert_eq!(report.stderr_tail, "careful");
    assert_eq!((report.attempt, &report.warnings), (1, &Vec::new()));
    assert!(report.duration.as_millis() >= 300);
    let prompt = fs::read_to_string(report.folder.join("prompt.md")).unwrap();
    let file = report.folder.join("result.json");
    let expected = format!("{prompt}WRK-001\ndesign\nmine\n{}\nthe end\n", file.display());
    assert_eq!(stdout(&report), expected);
    assert_eq!(fs::read_to_string(bench.dir().join("out.txt")).unwrap(), "here\n");
    assert!(!report.folder.join("pid").exists(), "nothing is left to be looked after");
    assert!(matches!(&seen[0], Progress::Started { attempt: 1, .. }));
    let last = Progress::Output { line: "the end".to_owned() };
    assert_eq!(seen.last(), Some(&last));
}

#[tokio::test]
async fn a_prompt_stays_one_argument() {
    let script = r#"cat; printf '%s\n' "$#" "$1" "$2"; test ! -t 0"#;
    let bench = Bench::scripted("exit 1").deliver(
        PromptDelivery::Arg,
        &["sh", "-c", script, "sh", "{prompt}", "{item_id}/{phase} {root}"],
    );
    let report = bench.run().await;
    let prompt = fs::read_to_string(report.folder.join("prompt.md")).unwrap();
    assert!(prompt.contains("Say \"hello\"\n"));
    let expected = format!("2\n{prompt}\nWRK-001/design {}\n", bench.dir().display());
    assert_eq!(stdout(&report), expected);
    assert_eq!(report.exit, Some(Exit::Code(0)));

    let bench = Bench::scripted("exit 1")
        .deliver(PromptDelivery::File, &["sh", "-c", "cat; cat \"$0\"", "{prompt_file}"]);
    let report = bench.run().await;
    let prompt = fs::read_to_string(report.folder.join("prompt.md")).unwrap();
    assert_eq!(stdout(&report), prompt);
}

#[tokio::test]
async fn only_the_result_file_counts() {
    let failed = Bench::scripted(&format!("{DONE}; exit 3")).run().await;
    assert_eq!(failed.outcome.result().unwrap().summary, "All is well.");
    assert_eq!(failed.exit, Some(Exit::Code(3)));

    let silent = Bench::scripted("say phase_complete").run().await;
    let reason = "the agent ended with exit status 0; no result was written";
    assert_eq!(silent.outcome.to_string(), reason);
    assert!(matches!(silent.outcome, Outcome::NoResult { .. }));

    let half = Bench::scripted("half phase_complete All is well.").run().await;
    let reason = half.outcome.to_string();
    assert!(reason.contains("exit status 0; the result is not JSON: "), "{reason}");
}

#[tokio::test]
async fn an_agents_own_error_is_told() {
    let json = r#"{"type":"result","is_error":true,"result":"Please run /login"}"#;
    let report = Bench::shell(&format!("echo '{json}'; exit 1")).run().await;
    let reason = "the agent ended with exit status 1; no result was written; \
                  it reports an error: Please run /login";
    assert_eq!(report.outcome.to_string(), reason);
    let json =
        r#"{"type":"result","result":"May I?","permission_denials":[{"tool_name":"Write"}]}"#;
    let report = Bench::shell(&format!("echo '{json}'")).run().await;
    let reason = report.outcome.to_string();
    assert!(
        reason.contains("no leave to use Write: ") && reason.contains("acceptEdits"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_result_about_something_else_is_told_apart() {
    let report = Bench::scripted(&format!("about WRK-002/design; {DONE}")).run().await;
    let (expected, found) = ("WRK-001".to_owned(), "WRK-002".to_owned());
    assert_eq!(report.outcome, Outcome::WrongItem { expected, found });
    let report = Bench::scripted(&format!("about WRK-001/build; {DONE}")).run().await;
    let (expected, found) = ("design".to_owned(), "build".to_owned());
    assert_eq!(report.outcome, Outcome::WrongPhase { expected, found });
}

#[tokio::test]
async fn an_earlier_attempts_result_does_not_count() {
    let bench = Bench::scripted("exit 0");
    let script = format!("*/*/1: {DONE}\n*/*/2: exit 0\n");
    fs::write(bench.dir().join("script"), script).unwrap();
    assert!(bench.run().await.outcome.result().is_some());
    let second = bench.run().await;
    assert_eq!(second.attempt, 2);
    assert!(matches!(second.outcome, Outcome::NoResult { .. }), "{}", second.outcome);
}

#[tokio::test]
async fn what_cannot_be_started_is_an_error() {
    let bench = Bench::scripted("exit 0").deliver(PromptDelivery::Stdin, &["no-such-agent"]);
    let error = bench.try_run(|_| {}).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot start the agent `no-such-agent`");
    let RunnerError::Agent { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
    assert!(!bench.runs().join("WRK-001/design/1/pid").exists());

    let long = "x".repeat(3_000_000);
    let bench = Bench::scripted("exit 0").deliver(PromptDelivery::Arg, &["sh", &long]);
    let error = bench.try_run(|_| {}).await.unwrap_err();
    let RunnerError::Agent { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.kind(), std::io::ErrorKind::ArgumentListTooLong);

    let mut bench = Bench::scripted("exit 0");
    bench.supervisor.subcommand = "__other".to_owned();
    let error = bench.try_run(|_| {}).await.unwrap_err().to_string();
    assert!(
        error.contains("ended at once") && error.contains("unrecognized subcommand"),
        "{error}"
    );
    bench.supervisor.exe = bench.dir().join("gone");
    let error = bench.try_run(|_| {}).await.unwrap_err();
    assert!(matches!(error, RunnerError::Supervisor { .. }), "{error}");
}

#[tokio::test]
async fn an_agent_that_removes_its_own_folder_has_failed() {
    let report = Bench::scripted("sleep 500; forget; say bye").run().await;
    let reason =
        "the agent's supervisor ended with exit status: 8; the folder of the attempt is gone";
    assert_eq!(report.outcome.to_string(), reason);
    assert!(report.stderr_tail.contains("pid"), "{}", report.stderr_tail);
}

#[tokio::test]
async fn the_demo_needs_no_script() {
    let mut bench = Bench::scripted("exit 1");
    bench.agent.env.clear();
    for phase in ["triage", "research", "build"] {
        bench.phase.name = phase.to_owned();
        let report = bench.run().await;
        let result = report.outcome.result().unwrap();
        assert_eq!(result.result, ResultCode::PhaseComplete, "{phase}");
        assert_eq!(result.updated_assessments.size.is_some(), phase == "triage");
    }
    assert!(bench.dir().join("built/WRK-001.md").exists());
}
