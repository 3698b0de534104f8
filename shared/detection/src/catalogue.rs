//! The catalogue of Bedrock's operations: everything that somebody thought about each of them. Knows no rule and no record.
//!
//! It is for tools that people run. What a record is judged by is [`operations`](crate::operations), out of the same file.

use std::fmt;

/// `data/operations.csv`: one line an operation, in the order of event source and event name.
pub const TEXT: &str = include_str!("../data/operations.csv");

/// The names of its columns, in their order.
pub const COLUMNS: [&str; 13] = [
    "event_source",
    "event_name",
    "basis",
    "plane",
    "class",
    "touches",
    "recorded",
    "required",
    "optional",
    "sensitive",
    "page",
    "if_unwatched",
    "watched_by",
];

const BASES: [&str; 4] = ["sdk", "documented", "observed", "iam"];
const PLANES: [&str; 2] = ["control", "runtime"];
const CLASSES: [&str; 5] = ["read", "invoke", "write", "tag", "credential"];

/// What an operation can touch.
pub const TOUCHED: [(&str, &str); 22] = [
    ("agent", "agents: what they are told, and what they can do"),
    ("cost", "what is paid for"),
    ("credentials", "keys, tokens, identities, and where they are kept"),
    ("data-automation", "how documents are read out"),
    ("evaluation", "how models and agents are judged"),
    ("flow-or-prompt", "flows and stored prompts"),
    ("gateway", "AgentCore gateways, which give agents their tools"),
    ("guardrail", "what models and agents may not say or be asked"),
    ("knowledge-base", "what models are given to read"),
    ("logging", "the log of prompts and answers"),
    ("memory", "what agents remember"),
    ("model", "models, and which of them can be called"),
    ("payment", "what agents can pay with"),
    ("policy", "AgentCore policies, which say what agents may do"),
    ("registry", "the list of agents and tools that others find"),
    ("runtime", "where AgentCore runs agents"),
    ("session", "conversations that are kept"),
    ("sharing", "who else may use it"),
    ("tags", "labels"),
    ("tenancy", "what holds for a whole account, project or organization"),
    ("tool", "browsers, code interpreters and searches of agents"),
    ("training-data", "what models learn, and from what"),
];

/// Why an operation may go without a rule.
pub const EXCUSES: [(&str, &str); 7] = [
    (
        "read-only",
        "It looks and changes nothing. Consoles, inventories and scanners do it all day; what tells a thief who looks around from \
         them is how much is looked at, and one record does not show that.",
    ),
    (
        "routine-inference",
        "The daily work of applications: calling models, agents and tools, and writing what they remember. Abuse shows in who \
         calls, from where, how often and with which words, not in the name of the call.",
    ),
    (
        "routine-credential",
        "How an agent comes by the token of its own tool, many times an hour. The secret is not in the record; its misuse shows \
         where it is used.",
    ),
    (
        "own-work",
        "It starts, steers, stops or removes a piece of work of the caller's own: a session, a test, an evaluation, a description. \
         Nothing that others rely on changes with it.",
    ),
    (
        "inert-until-used",
        "It makes something that nobody uses yet. What puts it to use, an alias, an update, an approval, is a call of its own.",
    ),
    (
        "loud-when-gone",
        "It removes something that protects nobody, and whose users fail at once: they tell sooner than a finding would.",
    ),
    (
        "tagging",
        "It changes labels. Where your policies grant by label, watch it with a rule of your own: which labels grant is not known \
         here.",
    ),
];

/// How CloudTrail records an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recorded {
    /// As a management event, which every trail has that is not told otherwise.
    Management,
    /// As a data event of this resource type, which a trail must be told to record.
    Data(&'static str),
    /// AWS does not say. A type beside it is the likely one, by its name.
    Undocumented,
}

/// One row: an operation, and what is known and thought of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its line in the file, from 1.
    pub line: usize,
    /// CloudTrail's `eventSource`.
    pub event_source: &'static str,
    /// CloudTrail's `eventName`.
    pub event_name: &'static str,
    /// How it is known: `sdk` (botocore has it), `documented`, `observed` (seen in a real record), `iam` (IAM has an action
    /// of this name, for a service whose other names are operations).
    pub basis: &'static str,
    /// `control`: it arranges things; `runtime`: it uses them.
    pub plane: &'static str,
    /// `read`, `invoke`, `write`, `tag`, `credential`; see [`OperationClass`](crate::operations::OperationClass).
    pub class: &'static str,
    /// What it touches, of [`TOUCHED`]; at least one.
    pub touches: Vec<&'static str>,
    /// How it is recorded; at least one, several where AWS documents several or does not say.
    pub recorded: Vec<Recorded>,
    /// Members of the request without which a call is refused.
    pub required: Vec<&'static str>,
    /// The other members that a request can have, as far as an SDK knows.
    pub optional: Vec<&'static str>,
    /// Members that the SDK's model says are secret: CloudTrail hides these at least.
    pub sensitive: Vec<&'static str>,
    /// Where AWS documents it, below `https://docs.aws.amazon.com/`.
    pub page: Option<&'static str>,
    /// Why it may go without a rule, of [`EXCUSES`]; without it, it must be watched.
    pub if_unwatched: Option<&'static str>,
    /// The rules that watch it, as `FAMILY/NAME`: written by `make docs`, never by hand.
    pub watched_by: Vec<&'static str>,
}

/// A row that does not hold together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("operations.csv, line {line}: {problem}")]
pub struct Wrong {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it, and what may stand there.
    pub problem: String,
}

/// Reads the catalogue that is built into this library.
///
/// # Errors
/// None for the file as it is committed; a test reads it.
pub fn builtin() -> Result<Vec<Entry>, Wrong> {
    read(TEXT)
}

fn read(text: &'static str) -> Result<Vec<Entry>, Wrong> {
    let mut rows = text.lines().zip(1..);
    if rows.next().is_none_or(|(header, _)| header != COLUMNS.join(",")) {
        return Err(Wrong { line: 1, problem: format!("the columns are {}", COLUMNS.join(",")) });
    }
    rows.map(|(row, line)| entry(row, line).map_err(|problem| Wrong { line, problem })).collect()
}

fn entry(row: &'static str, line: usize) -> Result<Entry, String> {
    let cells: Vec<&'static str> = row.split(',').collect();
    let [
        event_source,
        event_name,
        basis,
        plane,
        class,
        touches,
        recorded,
        required,
        optional,
        sensitive,
        page,
        if_unwatched,
        watched_by,
    ] = cells.as_slice()
    else {
        return Err(format!("it has {} cells and not {}", cells.len(), COLUMNS.len()));
    };
    one_of("basis", basis, &BASES)?;
    one_of("plane", plane, &PLANES)?;
    one_of("class", class, &CLASSES)?;
    let touches: Vec<&'static str> = touches.split_whitespace().collect();
    let touched = TOUCHED.map(|(name, _)| name);
    touches.iter().try_for_each(|what| one_of("touches", what, &touched))?;
    if touches.is_empty() || recorded.is_empty() {
        return Err("what it touches, and how it is recorded, must be said".to_owned());
    }
    if !if_unwatched.is_empty() {
        one_of("if_unwatched", if_unwatched, &EXCUSES.map(|(name, _)| name))?;
    }
    Ok(Entry {
        line,
        event_source,
        event_name,
        basis,
        plane,
        class,
        touches,
        recorded: recorded.split_whitespace().map(recorded_as).collect::<Result<_, _>>()?,
        optional: optional.split_whitespace().collect(),
        required: required.split_whitespace().collect(),
        sensitive: sensitive.split_whitespace().collect(),
        page: (!page.is_empty()).then_some(*page),
        if_unwatched: (!if_unwatched.is_empty()).then_some(*if_unwatched),
        watched_by: watched_by.split_whitespace().collect(),
    })
}

fn recorded_as(word: &'static str) -> Result<Recorded, String> {
    match word {
        "management" => Ok(Recorded::Management),
        "undocumented" => Ok(Recorded::Undocumented),
        _ if word.starts_with("AWS::") => Ok(Recorded::Data(word)),
        _ => Err(format!("recorded is management, undocumented or a resource type, and not {word}")),
    }
}

fn one_of(column: &str, value: &str, of: &[&str]) -> Result<(), String> {
    if of.contains(&value) { Ok(()) } else { Err(format!("{column} is one of {}, and not {value:?}", of.join(", "))) }
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Management => "management",
            Self::Data(of) => of,
            Self::Undocumented => "undocumented",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::Operations;

    const HEADER: &str = "event_source,event_name,basis,plane,class,touches,recorded,required,optional,sensitive,page,if_unwatched,watched_by\n";

    #[test]
    fn every_operation_is_classified() {
        let entries = builtin().unwrap();
        assert_eq!(entries.len(), 508 + 46);
        let operations = Operations::builtin();
        for entry in &entries {
            let class = format!("{:?}", operations.get(entry.event_source, entry.event_name).unwrap().class);
            assert_eq!(class.to_lowercase(), entry.class, "line {}", entry.line);
            let page = operations.page(entry.event_source, entry.event_name);
            assert_eq!(page.as_deref(), entry.page, "line {}", entry.line);
            // What changes nothing must not be called a write, and what writes has a better excuse than that it reads.
            assert!(entry.if_unwatched != Some("read-only") || entry.class == "read", "line {}", entry.line);
            assert!(
                entry.if_unwatched != Some("routine-credential") || entry.class == "credential",
                "line {}",
                entry.line
            );
            assert!(entry.if_unwatched != Some("tagging") || entry.class == "tag", "line {}", entry.line);
        }
        for (excuse, _) in EXCUSES {
            assert!(entries.iter().any(|entry| entry.if_unwatched == Some(excuse)), "nothing has the excuse {excuse}");
        }
        for (touched, _) in TOUCHED {
            assert!(entries.iter().any(|entry| entry.touches.contains(&touched)), "nothing touches {touched}");
        }
    }

    #[test]
    fn a_row_that_nobody_finished_is_refused() {
        for (row, expected) in [
            ("a,B,sdk,control,?,agent,management,,,,,,", "class is one of read, invoke"),
            ("a,B,sdk,,write,agent,management,,,,,,", "plane is one of control, runtime"),
            ("a,B,sdk,control,write,,management,,,,,,", "what it touches"),
            ("a,B,sdk,control,write,agent,,,,,,,", "how it is recorded"),
            ("a,B,sdk,control,write,agents,management,,,,,,", "touches is one of agent, "),
            ("a,B,sdk,control,write,agent,sometimes,,,,,,", "recorded is management, "),
            ("a,B,sdk,control,write,agent,management,,,,,because,", "if_unwatched is one of read-only, "),
            ("a,B,sdk,control,write,agent,management", "7 cells"),
        ] {
            let wrong = read(format!("{HEADER}{row}\n").leak()).unwrap_err();
            assert!(wrong.line == 2 && wrong.problem.contains(expected), "{row}: {wrong}");
        }
        assert_eq!(read("").unwrap_err().line, 1);
    }
}
