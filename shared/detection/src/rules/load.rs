//! From the text of rule files to a rule set. Strict: a file that cannot be honoured exactly is left out alone, with place
//! and remedy.
//!
//! - [`assembly`]: how a rule set is put together from the files

mod assembly;

use std::{fmt, sync::Arc};

use rsigma_parser::{Detections, Level, SigmaRule, Status, parse_sigma_yaml};
use sha2::{Digest as _, Sha256};

use self::assembly::load_all;
use super::{
    About, LazyWords, Loaded, Rule, Words,
    attributes::{self, Attributes},
    bounds,
    check::{self, Fault},
    engine::Engine,
    exceptions,
    lazy::Lazily,
    lists::{self, Lists},
    nearest::nearest,
    needs::{self, Needs},
    one_lower, overrides,
    packed::{self, Content, Kept, Library, Packed},
    parser_fault::parser_fault,
};
use crate::ids;

/// Largest rule file, in bytes. SigmaHQ's largest CloudTrail rule has 3 KB.
pub(super) const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Where a rule came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It is built into this library.
    BuiltIn,
    /// It came from a folder of the user's.
    Outside,
}

/// One rule file.
#[derive(Debug, Clone)]
pub struct RuleFile {
    /// Its path, for messages.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Where it came from.
    pub origin: Origin,
}

impl RuleFile {
    /// Whether it holds lists and no rule: it is called `lists.yml`.
    #[must_use]
    pub fn is_lists(&self) -> bool {
        let name = self.path.rsplit(['/', '\\']).next().unwrap_or_default();
        name == "lists.yml" || name == "lists.yaml"
    }

    /// Whether it holds overrides and no rule: it is called `overrides.yml`.
    #[must_use]
    pub fn is_overrides(&self) -> bool {
        overrides::is_overrides(&self.path)
    }

    /// Whether it holds an exception: a Sigma `filter` where a rule has its `detection`.
    #[must_use]
    pub fn is_exception(&self) -> bool {
        !self.is_lists() && !self.is_overrides() && exceptions::is_exception(&self.text)
    }
}

/// Something in a rule file that is legal but probably not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The file.
    pub path: String,
    /// Line in the file, from 1, where it is known.
    pub line: Option<usize>,
    /// Column in that line, in characters from 1, where it is known.
    pub column: Option<usize>,
    /// What is odd, and what is done about it.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}

/// `rules/**/*.yml` of the repository, as `build.rs` read and packed them: a [`Library`].
const BUILTIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/builtin_rules.deflate"));
/// The hash of each of these files, one after another.
const BUILTIN_HASHES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/builtin_hashes"));

/// SHA-256 of a file's text.
type Hash = [u8; 32];

/// Whether a text is word for word a built-in rule.
pub(super) fn is_builtin(text: &str) -> bool {
    hashes_of_builtin().contains(&hash_of(text))
}

fn hashes_of_builtin() -> &'static [Hash] {
    BUILTIN_HASHES.as_chunks().0
}

fn hash_of(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

/// A file on its way into the rule set, read or not.
struct Arriving {
    file: RuleFile,
    hash: Hash,
    /// What the build has read of it already.
    packed: Option<Box<Packed>>,
}

impl From<RuleFile> for Arriving {
    fn from(file: RuleFile) -> Self {
        Self { hash: hash_of(&file.text), file, packed: None }
    }
}

impl From<(Kept<'_>, &Hash)> for Arriving {
    fn from((Kept { path, content }, hash): (Kept<'_>, &Hash)) -> Self {
        let (text, packed) = match content {
            Content::Rule(packed) => (String::new(), Some(packed)),
            Content::Text(text) => (text.to_owned(), None),
        };
        let file = RuleFile { path: path.to_owned(), text, origin: Origin::BuiltIn };
        Self { file, hash: *hash, packed }
    }
}

/// The built-in rules and others.
#[expect(
    clippy::expect_used,
    reason = "our own bytes, which every test reads: nothing may go on in silence without rules"
)]
pub(super) fn load_beside_builtin(more: impl IntoIterator<Item = RuleFile>, lists: Lists) -> Loaded {
    let unpacked = crate::deflate::unpack(BUILTIN).expect("build.rs packed them");
    let Library { fields, kept } = postcard::from_bytes(&unpacked).expect("build.rs wrote them");
    // Our own folder is a folder like any other; its rules are not taken twice.
    let more = more.into_iter().map(Arriving::from).filter(|arriving| !hashes_of_builtin().contains(&arriving.hash));
    load_all(kept.into_iter().zip(hashes_of_builtin()).map(Arriving::from).chain(more).collect(), &fields, lists)
}

/// Only these.
pub(super) fn load(files: impl IntoIterator<Item = RuleFile>, lists: Lists) -> Loaded {
    load_all(files.into_iter().map(Arriving::from).collect(), &[], lists)
}

/// How a rule's condition comes to the engine.
enum Asked {
    /// It is compiled at once, so that what is wrong with it is told.
    Now(Detections),
    /// It was checked when it was built in, and is compiled when a record meets it. Until then what it needs is enough, and the
    /// place where it is packed.
    Later(Needs, usize),
}

/// A rule that the build has read.
fn built_in(
    file: &RuleFile,
    mut packed: Packed,
    fields: &[&str],
    (engine, words): (&Engine, &Arc<Lazily>),
    lists: &Lists,
    warnings: &mut Vec<Warning>,
) -> Result<(Rule, Asked), Fault> {
    let given = packed.attributes();
    let attributes = Attributes::of(given.iter().map(|(name, value)| (name, value)))?;
    let waits_for = waits_for(&attributes.requires_lists, lists)?;
    // With lists of some length it may become too large.
    let asked = if packed.lists.iter().all(|name| lists.is_short(name)) {
        Asked::Later(packed.needs, packed.detections)
    } else {
        let mut detections = engine.unpacked(packed.detections).ok_or_else(|| {
            Fault::new("", "it was packed by another version of the parser", "build bedrock-audit anew")
        })?;
        expand(&mut detections, lists)?;
        Asked::Now(detections)
    };
    let head = Head {
        id: packed.id,
        title: packed.title,
        name: packed.name,
        level: packed.level,
        version: packed.version,
        fields: packed.fields.iter().filter_map(|at| fields.get(*at)).map(|field| (*field).to_owned()).collect(),
        waits_for,
        named: packed.lists,
        words: LazyWords::packed(Arc::clone(words), packed.words),
    };
    Ok((rule(file, head, attributes, lists, warnings), asked))
}

/// A rule as it is written.
fn read(file: &RuleFile, lists: &Lists, warnings: &mut Vec<Warning>) -> Result<(Rule, Asked), Fault> {
    if file.text.len() as u64 > MAX_FILE_BYTES {
        return Err(Fault::new("", "it is larger than 1 MiB", "split it"));
    }
    let mut sigma = parse(&file.text)?;
    check::check(&sigma)?;
    let mut named = Vec::new();
    sigma.detection.named.values().for_each(|detection| packed::lists_of(detection, &mut named));
    expand(&mut sigma.detection, lists)?;
    let mut attributes = Attributes::of(&sigma.custom_attributes)?;
    let waits_for = waits_for(&attributes.requires_lists, lists)?;

    let mut bare_accounts = Vec::new();
    for detection in sigma.detection.named.values() {
        check::account_ids_without_quotes(detection, &mut bare_accounts);
    }
    bare_accounts.sort();
    for account in bare_accounts {
        warn(file, warnings, &account, format!("{account} is read as a number; write account ids in quotes"));
    }
    if sigma.level.is_none() {
        warn(file, warnings, "", "it has no level; medium is assumed".to_owned());
    }
    if sigma.status == Some(Status::Deprecated) {
        warn(file, warnings, "status:", "its status is `deprecated`; it is still in force".to_owned());
    }
    if sigma.id.is_none() {
        warn(file, warnings, "", "it has no id; one is computed from its title".to_owned());
    }
    let respond = std::mem::take(&mut attributes.respond);
    let words = Words { respond, ..Words::of(&sigma) };
    let head = Head {
        id: sigma.id.unwrap_or_else(|| ids::uuid(["rule", &sigma.title])),
        title: sigma.title,
        name: sigma.name,
        level: sigma.level.unwrap_or(Level::Medium),
        version: sigma.modified.or(sigma.date),
        fields: needs::fields_of(&sigma.detection),
        waits_for,
        named,
        words: words.into(),
    };
    Ok((rule(file, head, attributes, lists, warnings), Asked::Now(sigma.detection)))
}

/// Puts the entries of lists into the places of their names, and looks at what comes of it.
fn expand(detections: &mut Detections, lists: &Lists) -> Result<(), Fault> {
    lists::expand(detections, lists)?;
    bounds::check_size(detections)
}

/// What is said of a rule beside its condition and our own attributes.
struct Head {
    id: String,
    title: String,
    name: Option<String>,
    level: Level,
    version: Option<String>,
    fields: Vec<String>,
    waits_for: Option<String>,
    /// The lists that it names.
    named: Vec<String>,
    words: LazyWords,
}

fn rule(file: &RuleFile, head: Head, attributes: Attributes, lists: &Lists, warnings: &mut Vec<Warning>) -> Rule {
    for name in attributes.unknown {
        let meant =
            nearest(&name, attributes::NAMES).map_or(String::new(), |meant| format!("; did you mean `{meant}`?"));
        let text = format!("the attribute `{name}` means nothing here and is ignored{meant}");
        warn(file, warnings, &format!("{name}:"), text);
    }
    // A rule from outside keeps its level; so does one that looks at the outcome itself.
    let asks_outcome = head.fields.iter().any(|field| {
        ["errorCode", "derived.outcome"].contains(&field.as_str()) || field.starts_with("responseElements.statusCode")
    });
    let looks_at_outcome = asks_outcome || head.fields.iter().any(|field| field == "errorMessage");
    let derived = |(field, list)| head.fields.iter().any(|read| read == field) && lists.is_replaced(list);
    let reads_your_lists = head.named.iter().chain(&attributes.requires_lists).any(|name| lists.is_replaced(name))
        || [("derived.foreign_accounts", "accounts"), ("derived.foreign_buckets", "buckets")].into_iter().any(derived);
    let keeps_level = file.origin == Origin::Outside || looks_at_outcome;
    let unsuccessful = if keeps_level { head.level } else { one_lower(head.level) };
    Rule {
        about: Arc::new(About {
            id: head.id,
            title: head.title,
            level: head.level,
            family: attributes.family,
            stage: attributes.stage,
            version: head.version,
            origin: file.origin,
            reads_your_lists,
            asks_outcome,
            words: head.words,
        }),
        path: file.path.clone(),
        name: head.name,
        fields: head.fields,
        level_denied: attributes.level_denied.unwrap_or(unsuccessful),
        level_failed: attributes.level_failed.unwrap_or(unsuccessful),
        group_by: attributes.group_by,
        when_hidden: attributes.when_hidden,
        always_told: attributes.always_told,
        waits_for: head.waits_for,
    }
}

fn warn(file: &RuleFile, warnings: &mut Vec<Warning>, near: &str, text: String) {
    let (line, column) = check::place_of(near, &file.text).unzip();
    warnings.push(Warning { path: file.path.clone(), line, column, text });
}

/// The first of the lists that a rule requires that is empty.
fn waits_for(required: &[String], lists: &Lists) -> Result<Option<String>, Fault> {
    for name in required {
        match lists.get(name) {
            None => {
                let problem = format!("it requires the list `{name}`, which is not there");
                return Err(Fault::new("requires_list", problem, format!("put `{name}:` into your lists")));
            }
            Some([]) => return Ok(Some(name.clone())),
            Some(_) => {}
        }
    }
    Ok(None)
}

pub(super) fn parse(text: &str) -> Result<SigmaRule, Fault> {
    bounds::check_yaml(text)?;
    let collection = parse_sigma_yaml(text).map_err(|error| parser_fault(&error.to_string(), text))?;
    if let Some(error) = collection.errors.first() {
        return Err(parser_fault(error, text));
    }
    if !collection.correlations.is_empty() {
        let remedy = "one record is judged at a time; remove it";
        return Err(Fault::new("correlation:", "it is a Sigma correlation rule", remedy));
    }
    if !collection.filters.is_empty() {
        let remedy = "write `filter:` at the beginning of a line, in a file of its own";
        return Err(Fault::new("filter", "it is a Sigma filter among something else", remedy));
    }
    let mut rules = collection.rules.into_iter();
    match (rules.next(), rules.next()) {
        (Some(rule), None) => Ok(rule),
        (None, _) => Err(Fault::new("", "it holds no rule", "write one Sigma rule, or remove the file")),
        (Some(_), Some(_)) => Err(Fault::new("---", "it holds several rules", "write one file for each rule")),
    }
}

#[cfg(test)]
mod tests;
