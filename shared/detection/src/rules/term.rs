//! Who answers for an exception or an override, why, and for how long. Knows no clock: a day is always that of a record.

use std::collections::HashMap;

use time::{Date, Duration, Month, OffsetDateTime};
use yaml_serde::Value;

use super::{Stage, check::Fault};

/// The longest time that one may be in force, in days: a year, and a leap day.
const MOST_DAYS: i64 = 366;
/// The longest text of an owner or a reason, in characters.
const MOST_TEXT: usize = 500;

/// Who answers for a thing, why it is there, and for which records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Who answers for it.
    pub owner: String,
    /// Why it is there.
    pub reason: String,
    /// The first day (UTC) whose records it concerns.
    pub date: Date,
    /// The last one.
    pub expires: Date,
}

/// Where a record's day lies in a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Within it.
    InForce,
    /// After it.
    Expired(Date),
    /// Before it, or nobody knows when the record was written: as if there were nothing.
    No,
}

impl Term {
    /// Where a day lies in it. No day is not in it: what cannot be dated is told.
    pub(crate) fn standing(&self, day: Option<Date>) -> Standing {
        match day {
            Some(day) if day > self.expires => Standing::Expired(day),
            Some(day) if day >= self.date => Standing::InForce,
            _ => Standing::No,
        }
    }

    /// Reads it from `owner`, `reason`, `date` and `expires`.
    pub(super) fn of(given: &HashMap<String, Value>) -> Result<Self, Fault> {
        let date = day("date", given)?;
        let expires = day("expires", given)?;
        if expires < date {
            return Err(Fault::new("expires:", "it expires before its `date`", "write a later day"));
        }
        if expires - date > Duration::days(MOST_DAYS) {
            return Err(Fault::new(
                "expires:",
                "it expires more than a year after its `date`",
                "write a day within a year, and renew it then if it is still right",
            ));
        }
        Ok(Self { owner: text("owner", given)?, reason: text("reason", given)?, date, expires })
    }
}

/// The UTC day of a time in milliseconds since 1970.
pub(super) fn day_of(ms: i64) -> Option<Date> {
    OffsetDateTime::from_unix_timestamp(ms.div_euclid(1_000)).ok().map(OffsetDateTime::date)
}

/// `live`, which is the default, or `shadow`.
pub(super) fn stage(given: &HashMap<String, Value>) -> Result<Option<Stage>, Fault> {
    match given.get("stage").map(Value::as_str) {
        None => Ok(None),
        Some(Some("live")) => Ok(Some(Stage::Live)),
        Some(Some("shadow")) => Ok(Some(Stage::Shadow)),
        Some(_) => Err(Fault::new("stage:", "`stage` is neither `shadow` nor `live`", "write one of them")),
    }
}

fn text(name: &str, given: &HashMap<String, Value>) -> Result<String, Fault> {
    let text = given.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default();
    if text.is_empty() || text.chars().count() > MOST_TEXT {
        let remedy = match name {
            "owner" => "write who answers for it: a person or a team",
            _ => "write why this is right",
        };
        return Err(Fault::new(
            &format!("{name}:"),
            format!("it has no `{name}` of 1 to {MOST_TEXT} characters"),
            remedy,
        ));
    }
    Ok(text.to_owned())
}

fn day(name: &str, given: &HashMap<String, Value>) -> Result<Date, Fault> {
    given.get(name).and_then(Value::as_str).and_then(parse_day).ok_or_else(|| {
        Fault::new(&format!("{name}:"), format!("it has no day as its `{name}`"), "write a day as YYYY-MM-DD")
    })
}

/// A day written `YYYY-MM-DD`, and only so.
#[must_use]
pub fn parse_day(text: &str) -> Option<Date> {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return None };
    let digits = |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
        return None;
    }
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(date: &str, expires: &str) -> HashMap<String, Value> {
        let member = |name: &str, value: &str| (name.to_owned(), Value::String(value.to_owned()));
        HashMap::from([member("owner", "a"), member("reason", "b"), member("date", date), member("expires", expires)])
    }

    #[test]
    fn a_term_is_a_year_at_most() {
        let read = |date, expires| Term::of(&given(date, expires)).map_err(|fault| fault.problem);
        assert!(read("2026-11-22", "2027-11-22").is_ok() && read("2027-03-01", "2028-03-01").is_ok());
        assert!(read("2026-11-22", "2027-11-24").unwrap_err().contains("more than a year"));
        assert!(read("2026-11-22", "2026-11-21").unwrap_err().contains("before"));
        for nonsense in
            ["", "2027", "2027-2-1", "2027-02-30", "2027-13-01", "+027-01-01", "tomorrow", "2027-01-01T00:00:00Z"]
        {
            assert!(read("2026-11-22", nonsense).unwrap_err().contains("no day"), "{nonsense}");
        }
    }

    #[test]
    fn the_last_day_counts_whole_and_what_has_no_day_never() {
        let term = Term::of(&given("2026-11-22", "2026-12-01")).unwrap();
        // 2026-12-02T00:00:00Z.
        let midnight = 1_796_169_600_000;
        assert_eq!(term.standing(day_of(midnight - 1)), Standing::InForce);
        assert_eq!(term.standing(day_of(midnight)), Standing::Expired(parse_day("2026-12-02").unwrap()));
        assert_eq!(term.standing(parse_day("2026-11-22")), Standing::InForce);
        assert_eq!(term.standing(parse_day("2026-11-21")), Standing::No);
        assert_eq!(term.standing(None), Standing::No);
    }
}
