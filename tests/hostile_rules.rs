//! Rule files and lists that are written to break what reads them. Each is refused with one sentence, and the rest stays in
//! force. A stack that overflows cannot be caught: it would end the function, and every finding with it.

use std::time::{Duration, Instant};

use detection::rules::{Loaded, Origin, RuleFile, RuleSet};
use serde_json::json;

use crate::samples::{BUILTIN, audit_with, delete_guardrail, document, key};

fn outside(path: &str, text: &str) -> RuleFile {
    RuleFile { path: path.to_owned(), text: text.to_owned(), origin: Origin::Outside }
}

fn rule(detection: &str) -> String {
    let detection: String = detection.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "title: Test\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11\nlogsource:\n    product: aws\n    service: cloudtrail\n\
         detection:\n{detection}level: high\n"
    )
}

/// A rule with this condition, and two selections to name.
fn with_condition(condition: &str) -> String {
    rule(&format!("a:\n    eventName: DeleteGuardrail\nb:\n    eventName: B\ncondition: {condition}"))
}

/// Loads it beside a good rule, which must be in force whatever the other is.
fn beside_a_good_one(text: &str) -> Loaded {
    let good = with_condition("a").replace("0d1b11", "0d1b22");
    let started = Instant::now();
    let loaded = RuleSet::load([outside("good.yml", &good), outside("hostile.yml", text)]);
    // A machine may be slow, and this build is not optimized; what grows with the square of a file takes minutes.
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    assert!(loaded.rule_set.rules().iter().any(|rule| rule.path == "good.yml"), "{:?}", loaded.refused);
    let audited = audit_with(&loaded.rule_set, &document(&[delete_guardrail(1, &json!({}))]), &key("log"));
    assert!(audited.findings.iter().any(|finding| finding.about.title == "Test"));
    loaded
}

fn refused(what: &str, text: &str, expected: &str) {
    let loaded = beside_a_good_one(text);
    let [refused] = loaded.refused.as_slice() else { panic!("{what}: {:?}", loaded.refused.len()) };
    let said = refused.to_string();
    assert!(said.starts_with("hostile.yml") && said.contains(expected), "{what}: {said}");
    assert!(said.len() < 600 && !said.contains('\n'), "{what}: {} bytes", said.len());
    assert_eq!(loaded.rule_set.rules().len(), BUILTIN.rules().len() + 1, "{what}");
}

#[test]
fn a_condition_that_nests_too_deep_is_refused_before_a_parser_reads_it() {
    for deep in [200, 30_000] {
        for (what, condition) in [
            ("parentheses", format!("{}a{}", "(".repeat(deep), ")".repeat(deep))),
            ("parentheses that are not closed", "(".repeat(deep)),
            ("not", format!("{}a", "not ".repeat(deep / 2))),
            ("not, in lines", format!("\"{}a\"", "not\\n".repeat(deep / 2))),
            ("both", format!("{}a{}", "not (".repeat(deep / 2), ")".repeat(deep / 2))),
            ("written with escapes", format!("\"{}a\"", "\\x28".repeat(deep))),
        ] {
            refused(what, &with_condition(&condition), "its condition ");
        }
        let several = format!("\n    - a\n    - {}a{}", "(".repeat(deep), ")".repeat(deep));
        refused("one of several", &with_condition(&several), "its condition ");
        let merged = format!(
            "action: global\ndetection:\n    condition: {}\n---\n{}",
            "(".repeat(deep),
            with_condition("a").replace("    condition: a\n", "")
        );
        refused("in a global part", &merged, "its condition ");
    }
}

#[test]
fn a_condition_as_people_write_them_is_not_refused() {
    let long = format!("a{}", " and not (b or (a and not b))".repeat(500));
    for condition in [
        "(((((((((((((((((((a)))))))))))))))))))",
        "not not not not a and not (a or not (b and not (a or b)))",
        long.as_str(),
    ] {
        let loaded = beside_a_good_one(&with_condition(condition));
        assert_eq!(loaded.refused, []);
    }
}

#[test]
fn yaml_that_nests_or_unfolds_is_refused() {
    let megabyte = (1 << 20) - 1_000;
    let fits = |part: &str| part.repeat(megabyte / part.len());
    let anchors = |text: &str| {
        let levels: String = (1..30).map(|n| format!("l{n}: &l{n} [*l{0}, *l{0}, *l{0}, *l{0}]\n", n - 1)).collect();
        format!("l0: &l0 [{text}]\n{levels}{}", with_condition("a"))
    };
    for (what, text) in [
        ("brackets", fits("[")),
        ("braces", fits("{a: ")),
        ("closed brackets", format!("x: {}{}", "[".repeat(megabyte / 2), "]".repeat(megabyte / 2))),
        ("brackets behind comments", fits("[#]\n")),
        ("sequences in one line", fits("- ")),
        ("complex keys", fits("? ")),
        ("a deep selection", with_condition("a").replace("eventName: B", &format!("{}x", "- ".repeat(5_000)))),
        ("anchors of anchors", anchors("x")),
        ("one long text many times", {
            let text = "x".repeat(megabyte / 2);
            format!("long: &long {text}\nmany: [{}]\n{}", "*long, ".repeat(megabyte / 20), with_condition("a"))
        }),
        ("tags", fits("!a ")),
        ("an anchor of itself", format!("x: &x [*x]\n{}", with_condition("a"))),
        ("nothing but empty lists", format!("x: [{}]\n{}", "[],".repeat(megabyte / 4), with_condition("a"))),
        ("documents", fits("---\n")),
    ] {
        let loaded = beside_a_good_one(&text);
        assert!(!loaded.refused.is_empty(), "{what}");
        for refused in &loaded.refused {
            let said = refused.to_string();
            assert!(said.starts_with("hostile.yml") && said.len() < 600 && !said.contains('\n'), "{what}: {said}");
        }
        // As lists, too.
        let lists = RuleSet::load([outside("lists.yml", &text)]);
        assert_eq!(lists.rule_set.rules().len(), BUILTIN.rules().len(), "{what}");
        assert_eq!(lists.refused.len(), 1, "{what} as lists");
    }
}

#[test]
fn regular_expressions_cannot_take_all_memory() {
    for (what, pattern) in [
        ("repetitions of repetitions", r"((a{100}){100}){100}"),
        ("classes of all letters", r"\w{2000}"),
        ("nested groups", &"(".repeat(5_000)),
    ] {
        refused(what, &with_condition("a or b").replace("eventName: B", &format!("eventName|re: '{pattern}'")), "");
    }
    // Each alone is within what one may take; all together are not.
    let many: String = (0..2_000).map(|n| format!("\n            - 'x{n}\\w{{20}}'")).collect();
    let text = with_condition("a or b").replace("eventName: B", &format!("eventName|re:{many}"));
    refused("many", &text, "regular expressions");
}

#[test]
fn what_a_condition_names_again_and_again_is_compared_once_too_often() {
    let values: String = (0..20_000).map(|n| format!("\n            - 'value number {n}'")).collect();
    let named = format!("a{}", " or b or a".repeat(400));
    refused(
        "copies",
        &with_condition(&named).replace("eventName: B", &format!("eventName:{values}")),
        "bytes of values",
    );
}

/// An exception that is refused silences nothing.
#[test]
fn an_exception_is_refused_for_what_a_rule_is() {
    let exception = |condition: &str, b: &str| {
        format!(
            "title: Hostile\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b33\nlogsource:\n    product: aws\n    service: cloudtrail\n\
             owner: a\nreason: b\ndate: 2026-01-01\nexpires: 2026-12-31\nfilter:\n    rules: any\n    a:\n        \
             userIdentity.arn: X\n    b:\n        {b}\n    condition: {condition}\n"
        )
    };
    let values: String = (0..20_000).map(|n| format!("\n            - 'value number {n}'")).collect();
    let long = "(".repeat(20_000);
    for (what, text, expected) in [
        ("parentheses", exception(&format!("{}a", "(".repeat(200)), "eventName: B"), "nests too deep"),
        ("not", exception(&format!("{}a", "not ".repeat(200)), "eventName: B"), "nests too deep"),
        ("a long condition", exception(&long, "eventName: B"), "its condition"),
        (
            "copies",
            exception(&format!("a{}", " or b or a".repeat(400)), &format!("eventName:{values}")),
            "bytes of values",
        ),
        ("a large expression", exception("a or b", r"eventName|re: '((a{100}){100}){100}'"), ""),
        ("brackets", format!("filter:\n{}", "[".repeat(900_000)), "brackets"),
        (
            "anchors of anchors",
            format!(
                "l0: &l0 [x]\n{}{}",
                (1..30).map(|n| format!("l{n}: &l{n} [*l{0}, *l{0}, *l{0}, *l{0}]\n", n - 1)).collect::<String>(),
                exception("a", "eventName: B")
            ),
            "",
        ),
        ("more than a mebibyte", format!("{}#{}", exception("a", "eventName: B"), "x".repeat(1 << 20)), "1 MiB"),
    ] {
        refused(what, &text, expected);
    }
    let harmless = beside_a_good_one(&exception("not (a and b)", "eventName: B"));
    assert_eq!(
        (harmless.refused, harmless.rule_set.exceptions().len()),
        (Vec::new(), 1),
        "else nothing above says anything"
    );
}

#[test]
fn overrides_that_nest_or_unfold_are_refused() {
    for (what, text, expected) in [
        ("brackets", "[".repeat(900_000), "brackets"),
        ("empty maps", format!("x: [{}]", "{},".repeat(9_999)), ""),
        ("a million values", "- \n".repeat(250_000), "values"),
        ("more than a mebibyte", format!("#{}", "x".repeat(1 << 20)), "1 MiB"),
        (
            "anchors of anchors",
            format!(
                "l0: &l0 [x]\n{}",
                (1..30).map(|n| format!("l{n}: &l{n} [*l{0}, *l{0}, *l{0}, *l{0}]\n", n - 1)).collect::<String>()
            ),
            "repetition limit",
        ),
    ] {
        let loaded = RuleSet::load([outside("overrides.yml", &text)]);
        assert_eq!(loaded.rule_set.rules().len(), BUILTIN.rules().len(), "{what}");
        assert!(loaded.rule_set.overrides().is_empty(), "{what}");
        let said: Vec<String> = loaded.refused.iter().map(ToString::to_string).collect();
        assert!(!said.is_empty() && said.iter().all(|said| said.contains(expected)), "{what}: {said:?}");
        assert!(said.iter().all(|said| said.len() < 600 && !said.contains('\n')), "{what}");
    }
}

/// A rule of forty thousand lines took eighty megabytes and three seconds.
#[test]
fn a_selection_of_very_many_lines_is_refused() {
    let lines = |many: usize| (0..many).map(|n| format!("\n        f{n}: a")).collect::<String>();
    let selection = |many| with_condition("a or b").replace("eventName: B", lines(many).trim_start());
    refused("many lines", &selection(10_000), "bytes of values");
    assert_eq!(beside_a_good_one(&selection(1_000)).refused, []);
}

#[test]
fn a_list_that_is_named_in_itself_a_thousand_times_is_refused() {
    let lists = format!("many:{}\n", (0..9_000).map(|n| format!("\n    - entry-{n}")).collect::<String>());
    for value in ["%many%%many%", &format!("{}%many%", "x".repeat(100_000))] {
        let hostile = with_condition("a or b").replace("eventName: B", &format!("eventName|expand: '{value}'"));
        let loaded = RuleSet::load([outside("lists.yml", &lists), outside("hostile.yml", &hostile)]);
        let [refused] = loaded.refused.as_slice() else { panic!("{}", loaded.refused.len()) };
        assert!(refused.problem.contains("becomes more than"), "{}", refused.problem);
    }
}
