//! A Thursday, hour by hour: for each account and hour the records of a delivered log. The same day every time. Knows no rule.

use bedrock_audit_tests::dice::Dice;

use super::{
    background::BACKGROUND,
    bedrock::BEDROCK,
    company::{ACCOUNTS, REGIONS},
    record::Call,
    scenes::SCENES,
};

/// Records of an account in each hour of the day: people come at seven and go at nineteen, machines stay.
const AN_HOUR: [usize; 24] =
    [70, 70, 80, 80, 70, 70, 80, 110, 150, 170, 170, 160, 150, 160, 170, 170, 160, 140, 110, 90, 80, 80, 70, 70];
/// Accounts that use Bedrock, and how much of what they do is that, in percent. The others have only their scanners look.
const USE_BEDROCK: [usize; 20] = [35, 30, 30, 25, 25, 20, 20, 15, 15, 10, 10, 5, 5, 0, 0, 0, 0, 0, 0, 0];

/// The records of one account in one hour, each as CloudTrail writes it.
pub(super) fn hour(account: usize, hour: usize) -> Vec<String> {
    let mut dice = Dice::of_seed((account * 24 + hour) as u64);
    let mut records = Vec::new();
    for number in 0..AN_HOUR[hour] {
        let bedrocks = dice.below(100) < USE_BEDROCK[account];
        let call = if bedrocks { by_share(BEDROCK, &mut dice) } else { by_share(BACKGROUND, &mut dice) };
        let second = hour * 3600 + number * 3600 / AN_HOUR[hour];
        let region = dice.of(&REGIONS);
        records.push(call.record(&mut dice, ACCOUNTS[account], region, second));
    }
    for scene in SCENES.iter().filter(|scene| scene.account == account && scene.hour == hour) {
        for (number, call) in scene.calls.iter().enumerate() {
            let second = hour * 3600 + 600 + number * 7;
            records.push(call.record(&mut dice, ACCOUNTS[account], "eu-central-1", second));
        }
    }
    records
}

fn by_share<'a>(calls: &'a [(usize, Call)], dice: &mut Dice<'_>) -> &'a Call {
    let total: usize = calls.iter().map(|(share, _)| share).sum();
    let mut thrown = dice.below(total);
    for (share, call) in calls {
        match thrown.checked_sub(*share) {
            Some(rest) => thrown = rest,
            None => return call,
        }
    }
    unreachable!("a number below the total lies within a share")
}
