//! The plain way to judge, which the other is held against in tests: a record is parsed, every part of a rule is asked,
//! every value is compared with every expectation by itself, and what is derived is worked out of the whole record. It
//! is in no binary.

use serde_json::Value;

use super::{
    Engine, Reading, Verdict,
    comparison::Comparisons,
    reading::misses_required,
    tree::{All, Answer, Item, Tree},
    values::Field,
};
use crate::{operations::Operations, record::Record, rules::fold::lower};

impl Engine {
    /// As `read` does.
    pub(in crate::rules) fn read_plainly<'de>(
        &self,
        record: &'de [u8],
        operations: &'de Operations,
    ) -> Result<Reading<'de>, serde_json::Error> {
        Ok(Reading::of(self.fields.read_plainly(record, operations)?, record, operations))
    }

    pub(in crate::rules) fn judge_plainly(&self, position: usize, reading: &mut Reading<'_>) -> Verdict {
        let Some(rule) = self.rule(position) else { return Verdict::default() };
        // What no value can hold is mended for a document, and need not be for the few members that are looked at.
        if let Ok(document) = serde_json::from_slice::<Value>(reading.record) {
            let (record, hidden) = (Record::new(&document), misses_required(&document, reading.operations));
            for source in self.derived_by(rule) {
                reading.set(source, source.field.of(&record, hidden, &self.own));
            }
        }
        self.complete(rule, reading);
        let answer = rule.tree.judge_plainly(reading);
        Verdict { matches: answer.plain, undecided: answer.known.is_none() }
    }
}

impl Tree {
    fn judge_plainly(&self, reading: &Reading<'_>) -> Answer {
        let (wanted, parts) = match self {
            Self::Item(item) => return item.judge_plainly(reading),
            Self::Named(_, part) => return part.judge_plainly(reading),
            Self::Not(part) => {
                let Answer { plain, known } = part.judge_plainly(reading);
                return Answer { plain: !plain, known: known.map(|known| !known) };
            }
            Self::All(All { parts, .. }) => (parts.len() as u64, parts),
            Self::Any(parts) => (1, parts),
            Self::AtLeast(wanted, parts) => (*wanted, parts),
        };
        let answers: Vec<Answer> = parts.iter().map(|part| part.judge_plainly(reading)).collect();
        let enough =
            |holds: &dyn Fn(&Answer) -> bool| answers.iter().filter(|answer| holds(answer)).count() as u64 >= wanted;
        let (surely, perhaps) =
            (enough(&|answer| answer.known == Some(true)), enough(&|answer| answer.known != Some(false)));
        Answer { plain: enough(&|answer| answer.plain), known: (surely == perhaps).then_some(surely) }
    }
}

impl Item {
    fn judge_plainly(&self, reading: &Reading<'_>) -> Answer {
        self.judge_by(reading, |comparisons: &Comparisons, field: &Field<'_>| {
            field.scalars.iter().any(|scalar| {
                let folded = scalar.text().map(|text| lower(&text).into_owned());
                comparisons.iter().any(|comparison| comparison.holds(scalar, folded.as_deref()))
            })
        })
    }
}
