//! Our own attributes at a rule's top level: few, documented in `rules/README.md`, checked here.

use std::str::FromStr as _;

use rsigma_parser::Level;
use yaml_serde::Value;

use super::{Stage, WhenHidden, check::Fault};

/// Every attribute of ours, to tell a misspelt one by.
pub(super) const NAMES: [&str; 9] = [
    "always_told",
    "family",
    "group_by",
    "level_denied",
    "level_failed",
    "requires_list",
    "respond",
    "stage",
    "when_hidden",
];

#[derive(Debug, Default)]
pub(super) struct Attributes {
    pub(super) family: Option<String>,
    pub(super) level_denied: Option<Level>,
    pub(super) level_failed: Option<Level>,
    pub(super) group_by: Vec<String>,
    pub(super) respond: Vec<String>,
    pub(super) when_hidden: WhenHidden,
    pub(super) stage: Stage,
    pub(super) requires_lists: Vec<String>,
    pub(super) always_told: bool,
    /// Attributes that mean nothing here. Sigma allows them; a misspelt one of ours would hide among them.
    pub(super) unknown: Vec<String>,
}

impl Attributes {
    pub(super) fn of<'a>(given: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Result<Self, Fault> {
        let mut attributes = Self::default();
        // Sorted, because the parser keeps them in a map: messages must not change from run to run.
        let mut given: Vec<_> = given.into_iter().collect();
        given.sort_by_key(|(name, _)| name.as_str());
        for (name, value) in given {
            match name.as_str() {
                "always_told" => {
                    attributes.always_told = value.as_bool().ok_or_else(|| {
                        Fault::new(name, "`always_told` is neither `true` nor `false`", "write `true`, or leave it out")
                    })?;
                }
                "family" => attributes.family = Some(family(value)?),
                "level_denied" => attributes.level_denied = Some(level(name, value)?),
                "level_failed" => attributes.level_failed = Some(level(name, value)?),
                "group_by" => attributes.group_by = texts(name, value)?,
                "respond" => attributes.respond = texts(name, value)?,
                "stage" => {
                    attributes.stage = match value.as_str() {
                        Some("live") => Stage::Live,
                        Some("shadow") => Stage::Shadow,
                        _ => {
                            let remedy = "write `shadow` or `live`, which is the default";
                            return Err(Fault::new(name, "`stage` is neither", remedy));
                        }
                    }
                }
                "requires_list" => {
                    attributes.requires_lists = match value.as_str() {
                        Some(list) => vec![list.to_owned()],
                        None => texts(name, value)?,
                    }
                }
                "when_hidden" => {
                    attributes.when_hidden = match value.as_str() {
                        Some("ignore") => WhenHidden::Ignore,
                        Some("alert") => WhenHidden::Alert,
                        _ => {
                            let remedy = "write `alert` or `ignore`, which is the default";
                            return Err(Fault::new(name, "`when_hidden` is neither", remedy));
                        }
                    }
                }
                _ => attributes.unknown.push(name.clone()),
            }
        }
        Ok(attributes)
    }
}

fn family(value: &Value) -> Result<String, Fault> {
    let word = |text: &&str| {
        !text.is_empty() && text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    };
    value.as_str().filter(word).map(str::to_owned).ok_or_else(|| {
        Fault::new("family:", "`family` is not one word", "write lower-case letters and `-`, at most 40")
    })
}

fn level(name: &str, value: &Value) -> Result<Level, Fault> {
    value.as_str().and_then(|text| Level::from_str(text).ok()).ok_or_else(|| {
        Fault::new(name, format!("`{name}` is not a level"), "write informational, low, medium, high or critical")
    })
}

fn texts(name: &str, value: &Value) -> Result<Vec<String>, Fault> {
    let all = value.as_sequence().map(|items| {
        items.iter().map(|item| item.as_str().map(|text| text.trim().to_owned())).collect::<Option<Vec<_>>>()
    });
    all.flatten()
        .ok_or_else(|| Fault::new(name, format!("`{name}` is not a list of texts"), "write one `- ...` line for each"))
}
