//! Reads rule files from a folder: the one place of this library that touches a disk, shared by the Lambda and the command
//! line so that both take the same files.

use std::{fs, io, path::Path};

use super::{
    Origin, RuleFile,
    check::Refused,
    load::{MAX_FILE_BYTES, is_builtin},
};

/// Files of rules that are taken from one place at most.
pub const MOST_RULE_FILES: usize = 5_000;

/// All `*.yml` and `*.yaml` files below a folder, sorted by path. A file that cannot be read is refused alone.
///
/// # Errors
/// When the folder itself, or one below it, cannot be listed, or when there are more than 5,000 of them.
pub fn read_folder(folder: &Path) -> io::Result<(Vec<RuleFile>, Vec<Refused>)> {
    let (mut files, mut refused) = (Vec::new(), Vec::new());
    collect(folder, &mut files, &mut refused)?;
    files.sort_by(|a: &RuleFile, b| a.path.cmp(&b.path));
    Ok((files, refused))
}

fn collect(folder: &Path, files: &mut Vec<RuleFile>, refused: &mut Vec<Refused>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files, refused)?;
        } else if path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml") {
            if files.len() + refused.len() == MOST_RULE_FILES {
                return Err(io::Error::other(format!("it holds more than {MOST_RULE_FILES} rule files")));
            }
            let name = path.display().to_string();
            match read(&path) {
                Ok(text) => files.push(RuleFile { path: name, origin: origin(&text), text }),
                Err(error) => refused.push(Refused {
                    path: name,
                    line: None,
                    column: None,
                    problem: format!("it cannot be read ({error})"),
                    remedy: "a rule is a UTF-8 text file of at most 1 MiB".to_owned(),
                }),
            }
        }
    }
    Ok(())
}

/// A file that is word for word a built-in rule is one: its severity is adapted to the outcome as in the Lambda.
fn origin(text: &str) -> Origin {
    if is_builtin(text) { Origin::BuiltIn } else { Origin::Outside }
}

fn read(path: &Path) -> io::Result<String> {
    // Asked before it is read: a folder may hold anything.
    if fs::metadata(path)?.len() > MAX_FILE_BYTES {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    fs::read_to_string(path)
}
