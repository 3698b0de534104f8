//! `bedrock-audit rules pages`: pages of the built-in rules are committed as they are written, and those of hostile rules do
//! no harm.

use std::fs;

use crate::command_line::{run, text};

/// A rule whose every text tries to be something else than text.
const HOSTILE: &str = r##"
title: "# a | <script>alert(1)</script> [x](javascript:y)"
id: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11
level: high
family: mine
description: "one\n\n# two `code | <b>` _three_"
references: ["https://example.com/a", "https://example.com/> <script>"]
falsepositives: ["- <b>"]
respond: ["1. `aws s3 ls` <b>"]
tags: [attack.t1562.001, atlas.aml.t0054, "attack.t1)<b>"]
logsource: {product: aws, service: cloudtrail}
detection:
    selection:
        eventSource: bedrock.amazonaws.com
        eventName: UpdateGuardrail
        requestParameters.name: "```\n<b> `|"
        requestParameters.guardrailIdentifier|startswith: a
        requestParameters.unheard.of|exists: true
    condition: selection
# what follows is no detection
when_hidden: alert
"##;

const PROOF: &str = r#"{"base": {}, "matches": [{"because": "<b> | `a`", "outcome": "success", "severity": "high", "change": {}}],
 "ignores": [{"because": "*no*", "change": {}}]}"#;

#[test]
fn pages_are_written_checked_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (rules, pages) = (folder.path().join("rules"), folder.path().join("pages"));
    fs::create_dir_all(rules.join("mine")).unwrap();
    fs::create_dir(&pages).unwrap();
    fs::write(rules.join("mine/hostile.yml"), HOSTILE).unwrap();
    fs::write(rules.join("mine/hostile.proof.json"), PROOF).unwrap();
    fs::write(pages.join("own.md"), "# My own page\n").unwrap();
    let write = ["rules", "pages", text(&rules), text(&pages)];
    let check = [&write[..], &["--check"]].concat();

    let ran = run(&check, b"");
    assert!(ran.status == 1 && ran.err.contains("hostile.md is out of date"), "{}", ran.err);
    assert_eq!(run(&write, b"").status, 0);
    let ran = run(&check, b"");
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));

    let page = fs::read_to_string(pages.join("mine/hostile.md")).unwrap();
    for expected in [
        "\n# \\# a \\| \\<script\\>alert(1)\\</script\\> \\[x\\](javascript:y)\n",
        "\none # two `code | <b>` \\_three\\_\n",
        "\n- <https://example.com/a>\n- https://example.com/\\> \\<script\\>\n",
        "\n- \\- \\<b\\>\n",
        "\n1. 1\\. `aws s3 ls` \\<b\\>\n",
        "\n- \\<b\\> \\| `a` (success: high)\n",
        "\n- \\*no\\*\n",
        "  - `requestParameters.name` is ```` ``` <b> `| ````\n",
        "[ATLAS AML.T0054](https://atlas.mitre.org/techniques/AML.T0054)",
        "- `requestParameters.name`: AWS calls it a secret of `UpdateGuardrail`",
        "- `requestParameters.guardrailIdentifier`: `UpdateGuardrail` cannot be called without it",
        "- `requestParameters.unheard.of`: CloudTrail may hide it",
        "it fires all the same, with low confidence",
        "    condition: selection\n````\n",
    ] {
        assert!(page.contains(expected), "{expected}\nis not in\n{page}");
    }
    assert!(!page.contains("what follows") && !page.contains("t1)"), "{page}");
    let index = fs::read_to_string(pages.join("README.md")).unwrap();
    assert!(
        index.contains("\\<script\\>alert(1)\\</script\\> \\[x\\](javascript:y)](<mine/hostile.md>) | high | high |"),
        "{index}"
    );

    fs::write(pages.join("mine/hostile.md"), page + "an edit\n").unwrap();
    assert!(run(&check, b"").err.contains("hostile.md is out of date"));
    fs::rename(rules.join("mine/hostile.yml"), rules.join("mine/renamed.yml")).unwrap();
    let ran = run(&check, b"");
    assert!(ran.err.contains("hostile.md is about a rule that is gone"), "{}", ran.err);
    assert_eq!(run(&write, b"").status, 0);
    assert!(!pages.join("mine/hostile.md").exists() && pages.join("mine/renamed.md").exists());
    assert_eq!(fs::read_to_string(pages.join("own.md")).unwrap(), "# My own page\n", "it is nobody's but its owner's");

    fs::write(rules.join("wrong.yml"), "title: [").unwrap();
    let ran = run(&write, b"");
    assert!(ran.status == 2 && ran.err.contains("wrong.yml"), "{}", ran.err);
    assert!(pages.join("mine/renamed.md").exists(), "a wrong rule takes no page away");
}

/// What lies among rules and is none has no page, and gives none its text.
#[test]
fn pages_are_of_rules_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (rules, pages) = (folder.path().join("rules"), folder.path().join("pages"));
    fs::create_dir(&rules).unwrap();
    let rule = |name: &str, id: u8, operation: &str| {
        let text = format!(
            "title: {operation}\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b1{id}\nlevel: low\nlogsource: {{product: aws, service: cloudtrail}}\n\
             detection:\n    selection:\n        eventName: {operation}\n    condition: selection\n"
        );
        fs::write(rules.join(name), text).unwrap();
    };
    rule("m.yml", 0, "CreateAgent");
    rule("z.yml", 1, "DeleteAgent");
    fs::write(rules.join("lists.yml"), "my_list: [a]\n").unwrap();
    let term = "owner: a\nreason: b\ndate: 2026-11-22\nexpires: 2026-12-31\n";
    let exception = format!(
        "title: E\nid: 0d5c9a86-3f62-4b8e-9a51-6f1e2d7c4b30\nlogsource: {{product: aws, service: cloudtrail}}\n{term}filter:\n    \
         rules: [7832d7cf-cc1f-4c37-b444-9c2db70527a5]\n    selection:\n        userIdentity.arn: x\n    condition: not selection\n"
    );
    fs::write(rules.join("a.yml"), exception).unwrap();
    let overrides = format!(
        "7832d7cf-cc1f-4c37-b444-9c2db70527a5:\n    level: low\n    {}",
        term.trim_end().replace('\n', "\n    ")
    );
    fs::write(rules.join("overrides.yml"), overrides).unwrap();
    let ran = run(&["rules", "pages", text(&rules), text(&pages)], b"");
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    for (name, operation) in [("m.md", "CreateAgent"), ("z.md", "DeleteAgent")] {
        let page = fs::read_to_string(pages.join(name)).unwrap();
        assert!(
            page.contains(&format!("# {operation}\n")) && page.contains(&format!("eventName: {operation}\n")),
            "{page}"
        );
    }
    assert_eq!(fs::read_dir(&pages).unwrap().count(), 3, "the index, and a page for each rule");
}
