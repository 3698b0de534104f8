//! The operations of Amazon Bedrock: which are known, which write, and which members each must be given. Knows no record.

use rustc_hash::FxHashMap;
use serde::Deserialize;

use crate::delivered_log::Names;

/// What an operation does, as far as its API model tells. In the order in which `build.rs` counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum OperationClass {
    /// Looks at something.
    Read,
    /// Runs a model, an agent, a flow, a tool.
    Invoke,
    /// Creates, changes, starts, stops or deletes something.
    Write,
    /// Changes tags.
    Tag,
    /// Hands out a secret, whatever its name says (`GetResourceApiKey`).
    Credential,
}

/// One operation of an event source.
#[derive(Debug, Clone, Deserialize)]
pub struct Operation {
    /// What it does.
    pub class: OperationClass,
    /// The top-level members without which a call is refused: one that is missing from a record was hidden. Where several
    /// services share an event source and a name, those that all of them require.
    pub required: Vec<String>,
    /// The place of its page among all.
    page: usize,
}

/// The known operations of Amazon Bedrock by event source and event name: what a record is judged by, out of the
/// [catalogue](crate::catalogue), which says more of each.
#[derive(Debug, Default, Deserialize)]
pub struct Operations {
    by_source: FxHashMap<String, FxHashMap<String, Operation>>,
    /// Where AWS documents them: few, because a `*` stands for the operation's name.
    pages: Vec<String>,
}

impl Operations {
    /// Reads the list that is built into this library.
    #[must_use]
    #[expect(clippy::expect_used, reason = "our own bytes, which every test reads: no required member may go unknown")]
    pub fn builtin() -> Self {
        let packed = include_bytes!(concat!(env!("OUT_DIR"), "/operations.deflate"));
        let unpacked = crate::deflate::unpack(packed).expect("build.rs packed it");
        postcard::from_bytes(&unpacked).expect("build.rs wrote it")
    }

    /// The operation that a record's `eventSource` and `eventName` name, if AWS publishes it for Bedrock.
    #[must_use]
    pub fn get(&self, event_source: &str, event_name: &str) -> Option<&Operation> {
        self.by_source.get(event_source)?.get(event_name)
    }

    /// Where AWS documents an operation, below `https://docs.aws.amazon.com/`; nothing where it does not.
    #[must_use]
    pub fn page(&self, event_source: &str, event_name: &str) -> Option<String> {
        let page = self.pages.get(self.get(event_source, event_name)?.page)?;
        (!page.is_empty()).then(|| page.replace('*', event_name))
    }

    /// The event sources of Bedrock that are known.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.by_source.keys().map(String::as_str)
    }

    /// The names of an event source's known operations; none for another source.
    pub fn names<'a>(&'a self, event_source: &str) -> impl Iterator<Item = &'a str> {
        self.by_source.get(event_source).into_iter().flat_map(|names| names.keys().map(String::as_str))
    }

    /// Whether this is one of Bedrock's event sources and a name that nobody has looked at yet. AWS adds about fifteen
    /// operations a month.
    #[must_use]
    pub fn is_unknown(&self, event_source: &str, event_name: &str) -> bool {
        is_bedrocks(event_source.as_bytes()) && self.get(event_source, event_name).is_none()
    }

    /// The same of names that need not be read as texts before.
    pub(crate) fn is_unknown_name(&self, names: Names<'_>) -> bool {
        is_bedrocks(names.event_source) && {
            let (event_source, event_name) = names.texts();
            self.is_unknown(event_source, event_name)
        }
    }

    /// Whether a call changes something or hands out a credential, so that each target deserves a finding of its own.
    ///
    /// Outside Bedrock the record's own `readOnly` decides and, where it is missing, the verb.
    #[must_use]
    pub fn writes(&self, event_source: &str, event_name: &str, read_only: Option<bool>) -> bool {
        match self.get(event_source, event_name) {
            Some(operation) => !matches!(operation.class, OperationClass::Read | OperationClass::Invoke),
            None => !read_only.unwrap_or_else(|| {
                ["Get", "List", "Describe", "Head", "BatchGet", "Search", "Invoke"]
                    .iter()
                    .any(|verb| event_name.starts_with(verb))
            }),
        }
    }
}

fn is_bedrocks(event_source: &[u8]) -> bool {
    event_source.strip_suffix(b".amazonaws.com").is_some_and(|service| {
        service.starts_with(b"bedrock") || matches!(service, b"agent-registry" | b"aws-external-anthropic")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole_and_says_what_the_models_say() {
        let operations = Operations::builtin();
        assert_eq!(operations.by_source.values().map(FxHashMap::len).sum::<usize>(), 508 + 46);
        let delete = operations.get("bedrock.amazonaws.com", "DeleteGuardrail").unwrap();
        assert_eq!(
            (delete.class, delete.required.as_slice()),
            (OperationClass::Write, &["guardrailIdentifier".to_owned()][..])
        );
        assert_eq!(
            operations.get("bedrock-agentcore.amazonaws.com", "GetResourceApiKey").unwrap().class,
            OperationClass::Credential
        );
    }

    #[test]
    fn what_writes_is_not_a_matter_of_its_name() {
        let operations = Operations::builtin();
        assert!(operations.writes("bedrock.amazonaws.com", "DeleteGuardrail", Some(true)));
        assert!(!operations.writes("bedrock.amazonaws.com", "InvokeModel", Some(false)));
        assert!(operations.writes("bedrock-agentcore.amazonaws.com", "GetResourceOauth2Token", None));
        assert!(operations.writes("cloudtrail.amazonaws.com", "StopLogging", Some(false)));
        assert!(!operations.writes("s3.amazonaws.com", "ListBuckets", None));
    }
}
