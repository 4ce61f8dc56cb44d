//! What agents print: the last line for a person to see, and errors they tell of.
//!
//! Many agents print a JSON object per line. Of such a line the text in it is
//! shown; where the last one says that it all went wrong, or what the agent was not
//! allowed to do, so does the report. Any other output is text, made fit for a
//! terminal. Nothing here decides how a phase ended.

use serde_json::Value;

/// The most characters of a line that are shown.
const MAX_LINE: usize = 200;

/// Where agents put what they say or do, most telling first.
const SPOKEN: &[&str] = &["result", "text", "message", "content", "command", "title"];

/// Returns the last line that has something in it, without control characters and
/// cut to 200 characters; of a line of JSON, what it says.
pub(super) fn last_line(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.rsplit(['\n', '\r']);
    lines.filter_map(shown).next()
}

fn shown(line: &str) -> Option<String> {
    let said = match object(line) {
        Some(value) => spoken(&value)?.to_owned(),
        None => line.to_owned(),
    };
    let text = plain(&said);
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = text.char_indices().nth(MAX_LINE) {
        text.truncate(end);
    }
    (!text.is_empty()).then_some(text)
}

/// Returns what the last line of JSON says to have gone wrong, if it says so.
pub(super) fn error_message(stdout: &[u8]) -> Option<String> {
    let value = last_object(stdout)?;
    let is = |key: &str, ends: &[&str]| {
        let word = value[key].as_str().unwrap_or_default();
        ends.iter().any(|end| word.ends_with(end))
    };
    let went_wrong = value["is_error"] == Value::Bool(true)
        || is("type", &["error", "failed"])
        || is("status", &["error", "failed"]);
    let message = went_wrong.then(|| spoken(&value["error"]).or_else(|| spoken(&value)))?;
    Some(plain(message.unwrap_or("it gives no reason")).trim().to_owned())
}

/// Returns which tools the last line of JSON says that the agent wanted and had no leave
/// for, each once, as claude tells.
pub(super) fn refused_tools(stdout: &[u8]) -> Vec<String> {
    let value = last_object(stdout).unwrap_or_default();
    let denials = value["permission_denials"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut tools = Vec::new();
    for tool in denials.iter().filter_map(|denial| shown(denial["tool_name"].as_str()?)) {
        if !tools.contains(&tool) {
            tools.push(tool);
        }
    }
    tools
}

fn last_object(stdout: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(stdout);
    object(text.lines().rev().find(|line| !line.trim().is_empty())?)
}

fn object(line: &str) -> Option<Value> {
    let line = line.trim();
    let value = line.starts_with('{').then(|| serde_json::from_str(line))?;
    value.ok().filter(Value::is_object)
}

/// Returns the most telling text in a value, wherever it stands.
fn spoken(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text.as_str()).filter(|text| !text.trim().is_empty()),
        Value::Array(values) => values.iter().rev().find_map(spoken_inside),
        other => spoken_inside(other),
    }
}

/// Like [`spoken`], but a text counts only under a key that promises one.
fn spoken_inside(value: &Value) -> Option<&str> {
    match value {
        Value::Object(map) => {
            let promised = SPOKEN.iter().filter_map(|key| map.get(*key));
            let mut promised = promised.filter_map(spoken);
            promised.next().or_else(|| map.values().find_map(spoken_inside))
        }
        Value::Array(values) => values.iter().rev().find_map(spoken_inside),
        _ => None,
    }
}

/// Returns a text without terminal sequences and control characters, line breaks
/// and tabs kept.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                // ECMA-48: parameters, then one final character.
                Some('[') => {
                    chars.by_ref().find(|c| matches!(c, '\u{40}'..='\u{7e}'));
                }
                // A title or a link, up to a bell or a string terminator.
                Some(']') => {
                    while let Some(c) = chars.next() {
                        if c == '\u{7}' || c == '\u{1b}' && chars.next_if_eq(&'\\').is_some() {
                            break;
                        }
                    }
                }
                _ => {}
            },
            '\n' | '\t' => plain.push(c),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_line_that_says_something() {
        let line = |text: &str| last_line(text.as_bytes());
        assert_eq!(line(""), None);
        assert_eq!(line("\n \r\n\u{1b}[0m\n"), None);
        assert_eq!(line("one\ntwo\n\n").unwrap(), "two");
        assert_eq!(line("10%\r20%\r").unwrap(), "20%");
        assert_eq!(line("a\u{1b}[1;31mred\u{1b}[0m\u{7}\tb").unwrap(), "ared b");
        assert_eq!(line("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]0;t\u{7}!").unwrap(), "link!");
        assert_eq!(line(&"é".repeat(300)).unwrap().chars().count(), 200);
        assert_eq!(last_line(b"\xff\xfe").unwrap(), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_line_of_json_shows_what_it_says() {
        let line = |text: &str| last_line(text.as_bytes());
        let claude = r#"{"type":"assistant","message":{"id":"m","content":[{"type":"text","text":"Reading\nit"}]}}"#;
        assert_eq!(line(claude).unwrap(), "Reading it");
        let tool = r#"{"type":"assistant","message":{"content":[{"type":"tool_use","name":"Bash","input":{"command":"cargo test"}}]}}"#;
        assert_eq!(line(tool).unwrap(), "cargo test");
        let codex = r#"{"type":"item.completed","item":{"id":"i","item_type":"agent_message","text":"Done."}}"#;
        assert_eq!(line(codex).unwrap(), "Done.");
        // A line that says nothing leaves the one before.
        assert_eq!(line(&format!("{codex}\n{{\"type\":\"turn\",\"n\":1}}\n")).unwrap(), "Done.");
        assert_eq!(line("{ not json").unwrap(), "{ not json");
    }

    #[test]
    fn errors_are_believed() {
        let message = |text: &str| error_message(text.as_bytes());
        let claude =
            r#"{"type":"result","subtype":"success","is_error":true,"result":"Invalid API key"}"#;
        assert_eq!(message(&format!("noise\n{claude}\n")).unwrap(), "Invalid API key");
        let codex = r#"{"type":"turn.failed","error":{"message":"stream disconnected"}}"#;
        assert_eq!(message(codex).unwrap(), "stream disconnected");
        let gemini = r#"{"type":"result","status":"error","error":{"type":"E","message":"quota"}}"#;
        assert_eq!(message(gemini).unwrap(), "quota");
        let opencode = r#"{"type":"error","error":{"name":"E","data":{"message":"no model"}}}"#;
        assert_eq!(message(opencode).unwrap(), "no model");
        assert_eq!(message(r#"{"is_error":true}"#).unwrap(), "it gives no reason");
        for fine in [r#"{"is_error":false,"result":"ok"}"#, "plain", "", "{", "[1]"] {
            assert_eq!(message(fine), None, "{fine}");
        }
    }

    #[test]
    fn tools_that_were_refused_are_named_once() {
        let denied = |tool: &str| format!(r#"{{"tool_name":{tool},"tool_use_id":"t"}}"#);
        let denials = [r#""Write""#, r#""Bash""#, "7", r#""Write""#].map(denied).join(",");
        let claude =
            format!(r#"{{"type":"result","result":"May I?","permission_denials":[{denials}]}}"#);
        assert_eq!(refused_tools(format!("noise\n{claude}\n").as_bytes()), ["Write", "Bash"]);
        for none in [r#"{"permission_denials":[]}"#, r#"{"permission_denials":"x"}"#, "text", ""] {
            assert_eq!(refused_tools(none.as_bytes()), [""; 0], "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_line_fit_for_a_terminal(bytes in any::<Vec<u8>>()) {
            let line = last_line(&bytes).unwrap_or_default();
            prop_assert!(!line.contains(char::is_control));
            error_message(&bytes);
            refused_tools(&bytes);
        }
    }
}
