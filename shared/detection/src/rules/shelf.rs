//! Rule files from outside as they change: a mistake in a file takes nothing away while there is a version of it that was
//! right. Knows nothing of where the files come from.

use std::collections::{BTreeMap, HashSet};

use super::{Lists, Loaded, RuleFile, RuleSet};

/// The last good version of each rule file.
#[derive(Debug, Default)]
pub struct Shelf {
    good: BTreeMap<String, RuleFile>,
}

impl Shelf {
    /// Loads the built-in rules and these files with these lists, the whole of what there is now. For a file that is
    /// refused, its last good version stays in force, and it is refused all the same, so that somebody is told. A file
    /// that is no longer there is forgotten.
    #[must_use]
    pub fn load(&mut self, files: Vec<RuleFile>, lists: &Lists) -> Loaded {
        let mut loaded = RuleSet::load_with(files.iter().cloned(), lists.clone());
        let refused: HashSet<&str> = loaded.refused.iter().map(|refused| refused.path.as_str()).collect();
        let is_wrong = |file: &RuleFile| refused.contains(file.path.as_str()) && !loaded.partly.contains(&file.path);
        let (wrong, right): (Vec<RuleFile>, Vec<RuleFile>) = files.into_iter().partition(is_wrong);
        let stand_ins: Vec<RuleFile> = wrong.iter().filter_map(|file| self.good.get(&file.path).cloned()).collect();
        if !stand_ins.is_empty() {
            let mut told = std::mem::take(&mut loaded.refused);
            loaded = RuleSet::load_with(right.iter().chain(&stand_ins).cloned(), lists.clone());
            // An exception is refused for want of its rule; with that rule's last good version there is nothing wrong with it.
            let is_as_it_was = |path: &str| {
                let text = wrong.iter().find(|file| file.path == path).map(|file| &file.text);
                text.is_some() && text == self.good.get(path).map(|file| &file.text)
            };
            told.retain(|refused| !is_as_it_was(&refused.path) && !loaded.refused.contains(refused));
            loaded.refused.extend(told);
        }
        self.good = right.into_iter().chain(stand_ins).map(|file| (file.path.clone(), file)).collect();
        loaded
    }
}
