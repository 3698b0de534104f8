//! Filters: conditions that are asked beside those of rules. A filter silences only where it is surely false, and it must say
//! what it is about. Knows nothing of owners or days.

use std::borrow::Cow;

use rsigma_parser::Detections;

use super::{
    Engine, Reading,
    comparison::Comparison,
    fields::Slot,
    tree::{All, Check, Tree},
    values::Scalar,
};
use crate::rules::{check::Fault, fold::lower};

/// Fields that every record of a rule shares, or that only tell what kind of record it is: naming them names nobody.
const NO_SCOPE: [&str; 10] = [
    "eventSource",
    "eventName",
    "eventVersion",
    "eventType",
    "eventCategory",
    "apiVersion",
    "readOnly",
    "managementEvent",
    "userIdentity.type",
    "derived.outcome",
];

/// Values that have nothing in common but their kind: what holds for all of one kind names none of them.
const KINDS: [&[&str]; 14] = [
    &["arn:aws:iam::111122223333:user/alice", "arn:aws:bedrock:eu-central-1:444455556666:guardrail/x7k2"],
    &["arn:aws:iam::111122223333:user/alice", "arn:aws:iam::444455556666:role/Deploy"],
    &["arn:aws:iam::111122223333:user/alice", "arn:aws:iam::444455556666:user/bob"],
    &["arn:aws:iam::111122223333:role/Deploy", "arn:aws:iam::444455556666:role/tools"],
    &["arn:aws:sts::111122223333:assumed-role/Deploy/ci-7", "arn:aws:sts::444455556666:assumed-role/tools/jane"],
    &["arn:aws:sts::111122223333:assumed-role/Deploy/ci-7", "arn:aws:iam::444455556666:user/bob"],
    &["111122223333", "444455556666"],
    &["203.0.113.7", "198.51.100.20"],
    &["2001:db8::1", "fd12:3456::beef"],
    &["aws-cli/2.32.3 md/awscrt#0.29", "Boto3/1.44.5 md/Botocore#1.44.5"],
    &["eu-central-1", "us-west-2"],
    &["gr4example7k2", "customer-help"],
    &["true"],
    &["false"],
];

/// The fewest characters in a row that a text with wildcards must ask for.
const FEWEST_CHARACTERS: usize = 3;
/// The shortest prefixes of networks that are a scope.
const SHORTEST_PREFIXES: (u8, u8) = (8, 16);

impl Engine {
    /// Adds a filter; its position is the number of filters before it. `by_name`: the name of the call is a scope, too.
    pub(in crate::rules) fn add_filter(&mut self, detections: &Detections, by_name: bool) -> Result<(), Fault> {
        let filter = self.compiled(detections)?;
        let tree = &filter.tree;
        let common: Vec<Slot> = NO_SCOPE
            .iter()
            .filter(|field| !by_name || **field != "eventName")
            .filter_map(|field| self.fields.find(field))
            .collect();
        if !tree.names_something(false, &common) {
            let seems_turned_round = tree.names_something(true, &common);
            let (problem, remedy) = if seems_turned_round {
                (
                    "its condition holds for what it names, so it would silence everything else",
                    "a filter's condition is joined to the rule's with `and`: write `condition: not selection`",
                )
            } else {
                (
                    "its selection names nobody and nothing in particular, so it would silence the rule",
                    "name the actor, the account, the address, the resource or the user agent that is meant, and write \
                     `condition: not selection`",
                )
            };
            return Err(Fault::new("condition:", problem, remedy));
        }
        self.filters.push(filter);
        Ok(())
    }

    /// Whether the filter silences the record. Only what is certain does: where something that is not visible could make the
    /// filter let the record through, it is let through.
    pub(in crate::rules) fn silences(&self, filter: usize, reading: &mut Reading<'_>) -> bool {
        let Some(filter) = self.filters.get(filter) else { return false };
        self.complete(filter, reading);
        filter.tree.judge(reading).known == Some(false)
    }

    /// Why the filter does not silence the record, part by part.
    pub(in crate::rules) fn why_not_silenced(&self, filter: usize, reading: &mut Reading<'_>) -> Vec<String> {
        let mut said = Vec::new();
        if let Some(filter) = self.filters.get(filter) {
            self.complete(filter, reading);
            filter.tree.explain(reading, false, &mut said);
        }
        if said.is_empty() {
            said.push("something that it asks for is not visible".to_owned());
        }
        said
    }
}

impl Reading<'_> {
    /// The text of a field, if it is there once and a text.
    pub(in crate::rules) fn text(&self, engine: &Engine, field: &str) -> Option<&str> {
        let field = self.values.field(engine.fields.find(field)?)?;
        match field.scalars.as_slice() {
            [Scalar::Text(text)] => Some(text),
            _ => None,
        }
    }
}

impl Tree {
    /// Whether the tree can be `wanted` only where some line that names something in particular is satisfied.
    fn names_something(&self, wanted: bool, common: &[Slot]) -> bool {
        let named = |parts: &[Tree]| parts.iter().filter(|part| part.names_something(wanted, common)).count();
        match self {
            Self::Not(part) => part.names_something(!wanted, common),
            Self::Named(_, part) => part.names_something(wanted, common),
            // All are true together; one false is enough.
            Self::All(All { parts, .. }) if wanted => named(parts) > 0,
            Self::All(All { parts, .. }) => !parts.is_empty() && named(parts) == parts.len(),
            Self::Any(parts) if wanted => !parts.is_empty() && named(parts) == parts.len(),
            Self::Any(parts) => named(parts) > 0,
            Self::AtLeast(least, parts) => {
                let all = parts.len() as u64;
                // As many parts as must be `wanted` together: more than there are parts that name nothing.
                let together = if wanted { *least } else { (all + 1).saturating_sub(*least) };
                together > all - named(parts) as u64
            }
            Self::Item(item) => {
                let field_tells = item.slot.is_none_or(|slot| !common.contains(&slot));
                // That something is not so says nothing about what is.
                wanted && field_tells && item.check.names_something()
            }
        }
    }
}

impl Check {
    fn names_something(&self) -> bool {
        match self {
            // Of an empty list, nothing is satisfied.
            Self::AnyOf(comparisons) => comparisons.iter().all(names_something),
            Self::Exists(_) | Self::SameAs { .. } => false,
        }
    }
}

fn names_something(comparison: &Comparison) -> bool {
    let enough = match comparison {
        Comparison::Text(pattern) => pattern.longest_text().is_none_or(|longest| longest >= FEWEST_CHARACTERS),
        Comparison::Regex(_) => true,
        Comparison::Cidr(network) => {
            let shortest = if network.addr().is_ipv4() { SHORTEST_PREFIXES.0 } else { SHORTEST_PREFIXES.1 };
            return network.prefix_len() >= shortest;
        }
        Comparison::Number(..) => return true,
        Comparison::Order(..) | Comparison::Time(..) | Comparison::Bool(_) | Comparison::Null => return false,
    };
    let holds = |text: &str| comparison.holds(&Scalar::Text(Cow::Borrowed(text)), Some(&lower(text)));
    let empty = holds("");
    enough && !empty && !KINDS.iter().any(|kind| kind.iter().all(|text| holds(text)))
}

#[cfg(test)]
mod tests {
    use rsigma_parser::parse_sigma_yaml;

    use super::*;

    fn is_scope(selection: &str, condition: &str) -> bool {
        let yaml = format!(
            "title: t\nfilter:\n  rules: any\n  selection:\n    {selection}\n  other:\n    awsRegion: eu-west-3\n  condition: {condition}\n"
        );
        let collection = parse_sigma_yaml(&yaml).unwrap();
        assert_eq!(collection.errors, Vec::<String>::new(), "{yaml}");
        Engine::default().add_filter(&collection.filters[0].detection, false).is_ok()
    }

    #[test]
    fn somebody_or_something_must_be_named() {
        for scope in [
            "userIdentity.arn: 'arn:aws:iam::111122223333:role/Deploy'",
            "userIdentity.arn|startswith: 'arn:aws:sts::111122223333:assumed-role/Deploy/'",
            "userIdentity.arn: 'arn:aws:iam::111122223333:*'",
            "recipientAccountId: '111122223333'",
            "recipientAccountId: 111122223333",
            "sourceIPAddress|cidr: 198.51.100.0/24",
            "sourceIPAddress|cidr: 10.0.0.0/8",
            "requestParameters.guardrailIdentifier: [gr-1, gr-2]",
            "userAgent|contains: 'Terraform/'",
            "userAgent|re: '^Terraform/[0-9.]+'",
            "awsRegion: eu-west-3",
            "derived.actor: 'arn:aws:iam::111122223333:role/Deploy'",
        ] {
            assert!(is_scope(scope, "not selection"), "{scope}");
        }
        for none in [
            "userIdentity.arn: '*'",
            "userIdentity.arn: '?*'",
            "userIdentity.arn|contains: ''",
            "userIdentity.arn|contains: ':'",
            "userIdentity.arn|startswith: 'arn:aws:'",
            "userIdentity.arn: 'arn:aws:iam::*'",
            "userIdentity.arn: 'arn:aws:sts::*:assumed-role/*'",
            "userIdentity.arn: ['arn:aws:iam::111122223333:role/Deploy', '*']",
            "userIdentity.arn|re: '.*'",
            "userIdentity.arn|re: 'arn'",
            "userIdentity.arn|exists: true",
            "errorCode|exists: false",
            "errorCode: null",
            "sourceIPAddress|cidr: [198.51.100.0/24, '::/0']",
            "sourceIPAddress|cidr: 0.0.0.0/1",
            "userIdentity.sessionContext.attributes.mfaAuthenticated: 'true'",
            "userIdentity.sessionContext.attributes.mfaAuthenticated: false",
            "userIdentity.accountId|fieldref: recipientAccountId",
            "userIdentity.arn|neq: 'arn:aws:iam::111122223333:role/Deploy'",
            "eventTime|hour: 3",
            "eventSource: bedrock.amazonaws.com",
            "eventName: DeleteGuardrail",
            "eventType: AwsApiCall",
            "derived.outcome: success",
            "userIdentity.type: AssumedRole",
        ] {
            assert!(!is_scope(none, "not selection"), "{none}");
        }
    }

    #[test]
    fn the_condition_must_rest_on_what_is_named() {
        let (named, anybody) = ("userIdentity.arn: 'arn:aws:iam::111122223333:role/Deploy'", "userIdentity.arn: '*'");
        for (selection, condition, scope) in [
            (named, "not selection", true),
            (named, "not (selection and other)", true),
            (named, "not (selection or other)", true),
            (named, "not 1 of them", true),
            (named, "not all of them", true),
            (named, "not selection and not other", true),
            (named, "selection", false),
            (named, "not not selection", false),
            (named, "selection or not selection", true),
            (named, "selection and not selection", false),
            (named, "not selection and other", false),
            (named, "not selection or other", true),
            (anybody, "not (selection and other)", true),
            (anybody, "not (selection or other)", false),
            (anybody, "not 1 of them", false),
            (anybody, "not 2 of them", true),
            (anybody, "not all of them", true),
        ] {
            assert_eq!(is_scope(selection, condition), scope, "{selection}, {condition}");
        }
    }
}
