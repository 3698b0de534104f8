//! Built-in rules, as they are packed and as they are written: the same in everything.

use std::{fs, path::Path};

use super::*;
use crate::{operations::Operations, rules::Memory};

/// With every list as long as a list can be for a built-in rule to stay packed.
fn short_lists() -> Lists {
    let mut lists = Lists::builtin();
    let names: Vec<String> = lists.iter().map(|(name, _)| name.to_owned()).collect();
    for name in names {
        let entry = |number: usize| match name.as_str() {
            "networks" => format!("2001:db8:{number}::/48"),
            "accounts" => format!("{number:012}"),
            _ => format!("pattern:{number}{}*", "x".repeat(86)),
        };
        lists.put(&name, (100..200).map(entry).collect());
        assert!(lists.is_short(&name), "{name}");
    }
    lists
}

/// The built-in rules as the build packed them, each with its file as it is written.
fn each(mut look: impl FnMut(&RuleFile, Packed, &[&str])) {
    let unpacked = crate::deflate::unpack(BUILTIN).unwrap();
    let Library { fields, kept } = postcard::from_bytes(&unpacked).unwrap();
    assert!(!kept.is_empty());
    assert_eq!(kept.len(), hashes_of_builtin().len());
    for (Kept { path, content }, hash) in kept.into_iter().zip(hashes_of_builtin()) {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap();
        assert_eq!(*hash, hash_of(&text), "{path}");
        let Content::Rule(packed) = content else { panic!("{path} is packed") };
        look(&RuleFile { path: path.to_owned(), text, origin: Origin::BuiltIn }, *packed, &fields);
    }
}

#[test]
fn a_packed_rule_is_what_is_written() {
    let words = Arc::new(Lazily::words());
    for lists in [Lists::builtin(), short_lists()] {
        each(|file, packed, fields| {
            let mut warnings = Vec::new();
            let (written, Asked::Now(detections)) = read(file, &lists, &mut warnings).unwrap() else {
                panic!("{} is compiled at once", file.path)
            };
            let (rule, Asked::Later(needs, at)) =
                built_in(file, packed, fields, (&Engine::new(&lists), &words), &lists, &mut warnings).unwrap()
            else {
                panic!("{} stays packed", file.path)
            };
            assert_eq!(warnings, [], "nothing is odd, and nobody would be told");
            assert_eq!(rule, written);
            assert_eq!(needs, Needs::of(&detections), "{}", file.path);
            let mut engine = Engine::new(&lists);
            engine.add_fields(&rule.fields.iter().map(String::as_str).collect::<Vec<_>>());
            engine.add_packed(at);
            // First, so that the other brings no field that it lacks.
            let late = engine.compiled_at(0);
            engine.add(&detections).unwrap();
            assert_eq!(late, engine.compiled_at(1), "{}", file.path);
        });
    }
}

#[test]
fn a_rule_with_a_long_list_is_looked_at_when_it_is_loaded() {
    let words = Arc::new(Lazily::words());
    let long =
        [("models", (0..101).map(|number| number.to_string()).collect()), ("networks", vec!["x".repeat(10_001)])];
    for (name, entries) in long {
        let mut lists = Lists::builtin();
        lists.put(name, entries);
        let mut with_it = 0;
        each(|file, packed, fields| {
            let named = packed.lists.iter().any(|list| list == name);
            with_it += usize::from(named);
            let (_, asked) =
                built_in(file, packed, fields, (&Engine::new(&lists), &words), &lists, &mut Vec::new()).unwrap();
            assert_eq!(matches!(asked, Asked::Now(_)), named, "{}", file.path);
        });
        assert!(with_it > 0, "{name}");
    }
    // What is wrong with it then is told.
    let mut lists = Lists::builtin();
    lists.put("networks", (0..101).map(|number| format!("no network {number}")).collect());
    let refused = super::load_beside_builtin([], lists).refused;
    assert!(refused.iter().any(|refused| refused.problem.contains("no network")), "{refused:?}");
}

#[test]
fn a_packed_rule_that_cannot_be_compiled_is_never_silent() {
    let mut engine = Engine::new(&Lists::builtin());
    // Behind the last rule, where nothing is.
    engine.add_packed(Lazily::detections().from(0).len());
    let operations = Operations::default();
    let mut reading = engine.read(b"{}", &operations, &mut Memory::default()).unwrap();
    assert!(engine.judge(0, &mut reading).matches);
}
