//! What the orchestrator tells a supervisor, through the socket that is its standard
//! input: plans and orders. What a supervisor answers there is a single [`READY`], when
//! the tree of its agent has ended and it can take another.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncReadExt};

/// The answer of a supervisor that can take another agent.
pub(super) const READY: u8 = b'r';

/// What a message begins with that holds a plan: its length follows, and its fields.
const PLAN: u8 = b'p';

/// What a supervisor can be told while its agent runs, a byte. The end of its standard
/// input means [`Order::End`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// End the tree: SIGTERM, and SIGKILL 5 s later.
    End,
    /// End the tree with SIGKILL.
    Kill,
}

impl Order {
    /// Returns the byte that stands for it.
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::End => b'e',
            Self::Kill => b'k',
        }
    }
}

/// What is to be started, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The attempt's folder.
    pub(crate) folder: PathBuf,
    /// Whether the agent reads its prompt from standard input.
    pub(crate) reads_prompt: bool,
    /// The agent's working folder.
    pub(crate) root: PathBuf,
    /// The agent's command; never empty.
    pub(crate) argv: Vec<OsString>,
    /// Variables added to the environment.
    pub(crate) env: Vec<(OsString, OsString)>,
}

/// A message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    Start(Plan),
    Order(Order),
}

impl Plan {
    /// Tells whether it can be told: no part of a command or an environment can hold a
    /// NUL.
    pub(crate) fn is_tellable(&self) -> bool {
        self.fields().iter().all(|field| !field.as_bytes().contains(&0))
    }

    fn fields(&self) -> Vec<&OsStr> {
        let delivery = if self.reads_prompt { "stdin" } else { "null" };
        let mut fields = vec![self.folder.as_os_str(), OsStr::new(delivery), self.root.as_os_str()];
        fields.extend(self.env.iter().flat_map(|(name, value)| [name.as_os_str(), value]));
        // An empty name ends the variables.
        fields.push(OsStr::new(""));
        fields.extend(self.argv.iter().map(OsString::as_os_str));
        fields
    }

    pub(super) fn to_message(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        for field in self.fields() {
            payload.extend_from_slice(field.as_bytes());
            payload.push(0);
        }
        let mut message = vec![PLAN];
        message.extend_from_slice(&(payload.len() as u64).to_le_bytes());
        message.extend_from_slice(&payload);
        message
    }

    fn from_payload(payload: &[u8]) -> Option<Self> {
        let mut fields = payload.strip_suffix(&[0])?.split(|byte| *byte == 0);
        let mut next = || fields.next().map(|field| OsString::from_vec(field.to_vec()));
        let folder = next()?.into();
        let reads_prompt = next()? == "stdin";
        let root = next()?.into();
        let mut env = Vec::new();
        loop {
            let name = next()?;
            if name.is_empty() {
                break;
            }
            env.push((name, next()?));
        }
        let argv: Vec<OsString> = std::iter::from_fn(next).collect();
        (!argv.is_empty()).then_some(Self { folder, reads_prompt, root, argv, env })
    }
}

/// Reads the next message; nothing at the end. What is no message is an error.
///
/// Dropped before it is done, it may have read a part.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Message>> {
    let mut tag = [0];
    if from.read(&mut tag).await? == 0 {
        return Ok(None);
    }
    let order = [Order::End, Order::Kill].into_iter().find(|order| order.byte() == tag[0]);
    if let Some(order) = order {
        return Ok(Some(Message::Order(order)));
    }
    if tag[0] != PLAN {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let len = from.read_u64_le().await?;
    let mut payload = Vec::new();
    from.take(len).read_to_end(&mut payload).await?;
    let plan = Plan::from_payload(&payload).filter(|_| payload.len() as u64 == len);
    plan.map(|plan| Some(Message::Start(plan))).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            folder: "/a b/\u{fc}".into(),
            reads_prompt: true,
            root: OsString::from_vec(vec![b'/', 0xff]).into(),
            argv: ["agent", "", "two\nlines", ""].map(OsString::from).into(),
            env: vec![("A".into(), "".into()), ("B".into(), "x=y".into())],
        }
    }

    #[tokio::test]
    async fn what_is_told_arrives() {
        let null = Plan { reads_prompt: false, env: Vec::new(), ..plan() };
        let mut bytes = plan().to_message();
        bytes.extend([Order::End.byte(), Order::Kill.byte()]);
        bytes.extend(null.to_message());
        let mut from = bytes.as_slice();
        let (start, order) = (Message::Start, Message::Order);
        for told in [start(plan()), order(Order::End), order(Order::Kill), start(null)] {
            assert_eq!(read(&mut from).await.unwrap(), Some(told));
        }
        assert_eq!(read(&mut from).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_message_that_is_cut_short_is_none() {
        let whole = plan().to_message();
        for len in 1..whole.len() {
            assert!(read(&mut &whole[..len]).await.is_err(), "{len}");
        }
        assert!(read(&mut b"x".as_slice()).await.is_err());
        let nul = Plan { argv: vec![OsString::from("a\0b")], ..plan() };
        assert!(plan().is_tellable() && !nul.is_tellable());
    }
}
