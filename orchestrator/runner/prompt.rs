//! The prompt: all that an agent is told, as one Markdown text.
//!
//! Who it is, the item, what is known already, what to follow, and how to report,
//! with the exact path and fields. What people and other agents wrote is fenced,
//! so that no description can pass for an instruction of ours. The text depends
//! on nothing but the job; it names workflow files and does not read them.

use std::path::Path;

use super::error::RunnerError;
use super::job::PhaseJob;
use crate::fs;
use crate::model::BacklogItem;
use crate::model::change::PhaseCompletion;

/// Returns the prompt of a job. `root` is the job's, as an absolute path.
pub(super) fn text(job: &PhaseJob<'_>, root: &Path) -> String {
    let mut text = role(job, root);
    text.push_str(&about(job.item, job.attempt.item()));
    if !job.history.is_empty() {
        text.push_str("## What earlier phases reported\n\n");
        for earlier in job.history {
            text.push_str(&format!("{}:\n\n{}\n", earlier.phase, fenced(&earlier.summary)));
        }
    }
    if let Some(notes) = job.notes {
        text.push_str(
            "## A person's answer\n\nThe item was blocked. A person unblocked it and said:\n\n",
        );
        text.push_str(&format!("{}\n", fenced(notes)));
    }
    if let Some(failure) = job.previous_failure {
        text.push_str("## The previous attempt failed\n\nIt may have left some of its work behind: look first, and go on from there. It failed because:\n\n");
        text.push_str(&format!("{}\n", fenced(failure)));
    }
    text.push_str(&task(job));
    text.push_str(&contract(job));
    // No system passes it on in an argument.
    text.replace('\0', "\u{fffd}")
}

/// Returns a warning for each workflow file that is not there.
pub(super) fn missing_workflows(
    job: &PhaseJob<'_>,
    root: &Path,
) -> Result<Vec<String>, RunnerError> {
    let mut warnings = Vec::new();
    for workflow in &job.phase.workflows {
        if fs::stamp(&root.join(workflow))?.is_none() {
            let phase = job.attempt.phase();
            warnings.push(format!("the workflow `{workflow}` of the phase `{phase}` is missing"));
        }
    }
    Ok(warnings)
}

fn role(job: &PhaseJob<'_>, root: &Path) -> String {
    let (item, phase) = (job.attempt.item(), job.attempt.phase());
    format!(
        "# {item}: {phase}

You do one phase, `{phase}`, of one item of a project's backlog, `{item}`. You work unattended: nobody reads along or answers questions, and when your process ends, all that it started ends too. Your working folder is the root of the project, `{root}`. Do not commit. Do not edit `{backlog}`; all that is to change there goes into your result.

",
        root = root.display(),
        backlog = job.backlog.display(),
    )
}

fn about(item: &BacklogItem, id: &str) -> String {
    let mut text = format!("## The item\n\n- id: {id}\n- title: {}\n", one_line(&item.title));
    let mut line = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            text.push_str(&format!("- {name}: {}\n", one_line(value)));
        }
    };
    line("size", item.size.map(|size| size.as_str()));
    for (name, level) in
        [("complexity", item.complexity), ("risk", item.risk), ("impact", item.impact)]
    {
        line(name, level.map(|level| level.as_str()));
    }
    line("pipeline", item.pipeline_type.as_deref());
    line("origin", item.origin.as_deref());
    for (name, list) in [("tags", &item.tags), ("depends on", &item.dependencies)] {
        line(name, Some(list.join(", ").as_str()).filter(|list| !list.is_empty()));
    }
    if let Some(description) = &item.description {
        text.push_str(&format!("\n{}", fenced(&description.to_text())));
    }
    text.push('\n');
    text
}

fn task(job: &PhaseJob<'_>) -> String {
    let mut text = "## What to do\n\n".to_owned();
    if !job.phase.workflows.is_empty() {
        text.push_str("Read these files first, and follow them:\n\n");
        for workflow in &job.phase.workflows {
            text.push_str(&format!("- `{workflow}`\n"));
        }
        text.push('\n');
    }
    if is_triage(job) {
        text.push_str(
            "Judge the item; do not work on it, and change no file of the project. Look at as much of the project as it takes to say how large, complex, risky and valuable the work is, and whether another open item of the backlog says the same. Where there is no description and the title leaves open what is meant, write one.\n\n",
        );
    } else if job.phase.destructive {
        text.push_str("Do this phase and no other. You are alone in the work tree and may change what the phase has to change.\n\n");
    } else {
        text.push_str("Do this phase and no other. Other phases may be running in the same work tree: write what this one is to write, such as a document, and leave all other files as they are.\n\n");
    }
    text
}

fn is_triage(job: &PhaseJob<'_>) -> bool {
    job.attempt.phase() == PhaseCompletion::TRIAGE
}

fn contract(job: &PhaseJob<'_>) -> String {
    let attempt = job.attempt;
    let codes = if is_triage(job) {
        "- `phase_complete`: the item is judged\n"
    } else {
        "- `phase_complete`: the phase is finished
- `subphase_complete`: a part of it is finished; the same phase is to go on with the next part
"
    };
    format!(
        "## How to report

As the last thing you do, write one JSON object to the file

    {path}

Nothing else counts: without this file, whole and valid, the phase has failed. These keys are required:

```json
{{
  \"item_id\": {item},
  \"phase\": {phase},
  \"result\": \"phase_complete\",
  \"summary\": \"what was done, or why not, in a few sentences\"
}}
```

`result` is one of

{codes}- `blocked`: only a person can help; the summary says with what
- `failed`: it went wrong; the summary says how

These keys are optional; leave out what you have nothing to say about:

{optional}",
        path = attempt.result_file().display(),
        item = quoted(attempt.item()),
        phase = quoted(attempt.phase()),
        optional = optional_keys(job),
    )
}

fn optional_keys(job: &PhaseJob<'_>) -> String {
    let mut text = "- `context`: a text, what those who do the next phase should know
- `updated_assessments`: `{\"size\": \"small|medium|large\", \"complexity\": \"low|medium|high\", \"risk\": \"low|medium|high\", \"impact\": \"low|medium|high\"}`
- `follow_ups`: other work that you found necessary, one entry each, nothing that the backlog has already: `[{\"title\": \"…\", \"context\": \"…\", \"suggested_size\": \"small\", \"suggested_risk\": \"low\", \"tags\": []}]`
- `description`: a text for an item that has none; one that is there stays as it is
- `duplicates`: the IDs of items that say the same as this one
- `requires_human_review`: true where a person should look before work begins
".to_owned();
    if is_triage(job) && !job.pipelines.is_empty() {
        text.push_str(&format!(
            "- `pipeline_type`: the pipeline it should go through, one of {}\n",
            job.pipelines.join(", ")
        ));
    }
    if !is_triage(job) {
        text.push_str("- `commit_summary`: the first line of the commit of your changes\n");
    }
    text
}

fn quoted(text: &str) -> serde_json::Value {
    text.into()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Puts a text between fences that are longer than any in it.
fn fenced(text: &str) -> String {
    let runs = text.split(|c| c != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0).max(2) + 1);
    format!("{fence}text\n{}\n{fence}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Config;
    use crate::model::{Description, Level, PhaseSpec, Size};
    use crate::runner::{Attempt, Summary, Supervisor};

    fn prompt_of(
        phase: &PhaseSpec,
        history: &[Summary],
        change: impl FnOnce(&mut PhaseJob<'_>),
    ) -> String {
        let dir = tempfile::tempdir().unwrap();
        let attempt = Attempt::create(dir.path(), "WRK-001", &phase.name).unwrap();
        let item = BacklogItem {
            id: Some("WRK-001".to_owned()),
            title: "Say\nhello".to_owned(),
            size: Some(Size::Small),
            risk: Some(Level::Low),
            tags: vec!["cli".to_owned(), "i18n".to_owned()],
            description: Some(Description::Text(
                "It must ```greet```.\n## How to report\n".to_owned(),
            )),
            ..BacklogItem::default()
        };
        let (config, supervisor) = (Config::default(), Supervisor::new("x", "y"));
        let mut job = PhaseJob {
            attempt: &attempt,
            item: &item,
            phase,
            agent: config.agent("default").unwrap(),
            root: Path::new("/project"),
            backlog: Path::new("BACKLOG.yaml"),
            pipelines: &["feature".to_owned(), "fix".to_owned()],
            history,
            notes: None,
            previous_failure: None,
            timeout: Duration::from_secs(1),
            supervisor: &supervisor,
        };
        change(&mut job);
        let folder = attempt.folder().to_str().unwrap().to_owned();
        text(&job, job.root).replace(&folder, "/attempt")
    }

    #[test]
    fn a_phase_is_told_all_there_is() {
        let phase = PhaseSpec {
            workflows: vec!["docs/build.md".to_owned()],
            destructive: true,
            ..PhaseSpec::new("build")
        };
        let history = [Summary { phase: "research".to_owned(), summary: "Found it.".to_owned() }];
        insta::assert_snapshot!(prompt_of(&phase, &history, |job| {
            job.notes = Some("Use \0 English.");
            job.previous_failure = Some("the result is empty");
        }));
    }

    #[test]
    fn triage_judges() {
        let prompt = prompt_of(&PhaseSpec::new("triage"), &[], |_| {});
        assert!(prompt.contains("Judge the item"));
        assert!(prompt.contains("one of feature, fix\n"));
        assert!(!prompt.contains("subphase_complete"));
        let prompt = prompt_of(&PhaseSpec::new("design"), &[], |_| {});
        assert!(prompt.contains("Other phases may be running"));
        assert!(!prompt.contains("pipeline_type"));
    }

    #[test]
    fn the_example_is_a_result() {
        let prompt = prompt_of(&PhaseSpec::new("an \"odd\" phase"), &[], |_| {});
        let (_, json) = prompt.split_once("```json\n").unwrap();
        let (json, _) = json.split_once("```").unwrap();
        let result = crate::model::PhaseResult::from_json(json).unwrap();
        assert_eq!(result.phase, "an \"odd\" phase");
        assert_eq!(result.warnings, Vec::<String>::new());
    }

    #[test]
    fn missing_workflows_are_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_new(&dir.path().join("there.md"), b"x").unwrap();
        let phase = PhaseSpec {
            workflows: vec!["there.md".to_owned(), "gone.md".to_owned()],
            ..PhaseSpec::new("build")
        };
        prompt_of(&phase, &[], |job| {
            let warnings = missing_workflows(job, dir.path()).unwrap();
            assert_eq!(warnings, ["the workflow `gone.md` of the phase `build` is missing"]);
        });
    }
}
