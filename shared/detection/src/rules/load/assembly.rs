//! How a rule set is put together from the files that arrive: lists, rules, exceptions, overrides, in this order. Knows of a file
//! only what reading it gave.

use std::{collections::HashMap, sync::Arc};

use sha2::{Digest as _, Sha256};

use super::{Arriving, Asked, Hash, Packed, RuleFile, Warning, built_in, read};
use crate::{
    ids,
    operations::Operations,
    rules::{
        Loaded, Refused, Rule, RuleRef, RuleSet, UNKNOWN_OPERATION,
        check::Fault,
        engine::Engine,
        exceptions::{Exceptions, Known},
        index::Index,
        lazy::Lazily,
        lists::Lists,
        needs::Needs,
        overrides::Overrides,
        unknown::unknown_operation,
    },
};

/// Files that name rules or judge them, and so come after them.
type Governing = Vec<(RuleFile, Hash)>;

/// `fields`: those of the packed rules.
pub(super) fn load_all(arriving: Vec<Arriving>, fields: &[&str], mut lists: Lists) -> Loaded {
    // Lists first: what a rule means depends on them.
    let (of_lists, arriving): (Vec<_>, Vec<_>) =
        arriving.into_iter().partition(|arriving| arriving.packed.is_none() && arriving.file.is_lists());
    let refused = of_lists.iter().filter_map(|arriving| lists.replace(&arriving.file).err()).collect();
    let mut assembly = Assembly::new(&lists, fields, refused);
    let (mut of_exceptions, mut of_overrides): (Governing, Governing) = Default::default();
    for arriving in arriving {
        match &arriving {
            Arriving { file, packed: None, .. } if file.is_overrides() => {
                of_overrides.push((arriving.file, arriving.hash));
            }
            Arriving { file, packed: None, .. } if file.is_exception() => {
                of_exceptions.push((arriving.file, arriving.hash));
            }
            _ => assembly.add_rule(arriving),
        }
    }
    assembly.add_lists_to_the_version();
    let unknown = unknown_operation();
    let (by_id, named) = match (of_exceptions.as_slice(), of_overrides.as_slice()) {
        ([], []) => Default::default(),
        _ => names(&assembly.rules),
    };
    let exceptions = assembly.add_exceptions(of_exceptions, &named);
    let Overrides { all: overrides, refused: of_overrides, partly } =
        assembly.add_overrides(of_overrides, &by_id, &unknown);
    let Assembly { rules, engine, mut index, version, mut refused, warnings, .. } = assembly;
    refused.extend(of_overrides);
    index.complete();
    let version = ids::hex(&version.finalize()).chars().take(12).collect();
    let operations = Operations::builtin();
    let rule_set = RuleSet { rules, unknown, engine, index, version, operations, lists, exceptions, overrides };
    Loaded { rule_set, refused, partly, warnings }
}

/// A rule set that is not whole yet.
struct Assembly<'l> {
    lists: &'l Lists,
    /// The fields of the packed rules, and their words.
    fields: &'l [&'l str],
    words: Arc<Lazily>,
    rules: Vec<Rule>,
    engine: Engine,
    index: Index,
    /// Of everything that is in force.
    version: Sha256,
    /// The file of each rule, by the rule's id.
    files: HashMap<String, String>,
    refused: Vec<Refused>,
    warnings: Vec<Warning>,
}

impl<'l> Assembly<'l> {
    fn new(lists: &'l Lists, fields: &'l [&'l str], refused: Vec<Refused>) -> Self {
        let mut engine = Engine::new(lists);
        engine.add_fields(fields);
        Self {
            lists,
            fields,
            words: Arc::new(Lazily::words()),
            rules: Vec::new(),
            engine,
            index: Index::default(),
            version: Sha256::new(),
            files: HashMap::new(),
            refused,
            warnings: Vec::new(),
        }
    }

    fn add_rule(&mut self, Arriving { file, hash, packed }: Arriving) {
        if let Err(fault) = self.try_rule(&file, hash, packed) {
            self.refused.push(fault.at(&file.path, &file.text));
        }
    }

    /// Nothing of a rule that is refused stays, except fields that nobody asks for.
    fn try_rule(&mut self, file: &RuleFile, hash: Hash, packed: Option<Box<Packed>>) -> Result<(), Fault> {
        let (rule, asked) = match packed {
            Some(packed) => {
                let with = (&self.engine, &self.words);
                built_in(file, *packed, self.fields, with, self.lists, &mut self.warnings)?
            }
            None => read(file, self.lists, &mut self.warnings)?,
        };
        if let Some(other) = self.files.get(&rule.about.id) {
            return Err(Fault::new("id:", format!("{other} has the same id"), "give each rule an id of its own"));
        }
        let needs = match asked {
            Asked::Later(needs, at) => {
                self.engine.add_packed(at);
                needs
            }
            Asked::Now(detections) => {
                self.engine.add(&detections)?;
                Needs::of(&detections)
            }
        };
        if rule.waits_for.is_none() {
            self.index.add(self.rules.len(), needs);
        }
        self.files.insert(rule.about.id.clone(), rule.path.clone());
        self.rules.push(rule);
        self.version.update(ids::hex(&hash));
        Ok(())
    }

    fn add_lists_to_the_version(&mut self) {
        for (name, entries) in self.lists.iter() {
            for text in std::iter::once(name).chain(entries.iter().map(String::as_str)) {
                // The length keeps one text's end from being another's beginning.
                self.version.update((text.len() as u64).to_be_bytes());
                self.version.update(text.as_bytes());
            }
        }
    }

    fn add_exceptions(&mut self, files: Governing, named: &HashMap<String, Vec<RuleRef>>) -> Exceptions {
        let told = self.rules.iter().enumerate().filter(|(_, rule)| rule.always_told).map(|(at, _)| RuleRef::At(at));
        let mut exceptions = Exceptions::from_all_but(told.collect());
        for (file, hash) in files {
            let known = Known { rules: named, lists: self.lists };
            match exceptions.add(&file, &known, &mut self.engine, &mut self.warnings) {
                Ok(()) => self.version.update(ids::hex(&hash)),
                Err(wrong) => self.refused.push(wrong),
            }
        }
        exceptions
    }

    fn add_overrides(&mut self, files: Governing, by_id: &HashMap<String, RuleRef>, unknown: &Rule) -> Overrides {
        let mut overrides = Overrides::default();
        for (file, hash) in files {
            let rule = |rule| match rule {
                RuleRef::UnknownOperation => Some(unknown),
                RuleRef::At(position) => self.rules.get(position),
            };
            if overrides.add(&file, by_id, rule) {
                self.version.update(ids::hex(&hash));
            }
        }
        overrides
    }
}

/// Rules by their ids, and by their ids and Sigma names; several rules may share a name.
fn names(rules: &[Rule]) -> (HashMap<String, RuleRef>, HashMap<String, Vec<RuleRef>>) {
    let mut by_id = HashMap::from([(UNKNOWN_OPERATION.to_owned(), RuleRef::UnknownOperation)]);
    let mut named = HashMap::from([(UNKNOWN_OPERATION.to_owned(), vec![RuleRef::UnknownOperation])]);
    for (position, rule) in rules.iter().enumerate() {
        let at = RuleRef::At(position);
        by_id.insert(rule.about.id.clone(), at);
        for name in [Some(&rule.about.id), rule.name.as_ref()].into_iter().flatten() {
            named.entry(name.clone()).or_default().push(at);
        }
    }
    (by_id, named)
}
