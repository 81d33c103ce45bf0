//! What an operator adds to the names of secrets, and what is exempt from them.
//!
//! A pattern is a name, which is matched as the built-in ones are, on the last words of a name; or a path of
//! names, of which each is matched as a whole, whatever its case and what is between its words. A path fits
//! a member when the last names that lead to it are those of the path: `user.email` is the `email` of any `user`,
//! `details.user.email` that of the field `user`. A `*` is any one name. Lists have no name: `cards.number` is the
//! `number` of each of the `cards`. Names with dots are so many names.
//!
//! A pattern that is added wins over one that is kept, and that over the built-in names. What is taken out is neither
//! sealed nor hashed, and what is sealed is not hashed.
//!
//! Rejected: `*` within a name or for any number of names, which nobody can tell by looking how far they reach;
//! regular expressions, for the same reason.

use super::names;

/// How many patterns there may be of a kind.
pub(crate) const MAX_PATTERNS: usize = 256;
/// How long one may be.
const MAX_LENGTH: usize = 200;
/// How long each of its names may be, without what is between words.
const MAX_NAME: usize = 60;

/// A pattern that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    /// The last words of a name.
    Words(Box<[u8]>),
    /// The last names of a path. None is any.
    Path(Box<[Option<Box<[u8]>>]>),
}

impl Pattern {
    fn parse(pattern: &str) -> Result<Self, String> {
        let invalid = |why: &str| Err(format!("{pattern:?} {why}"));
        if pattern.len() > MAX_LENGTH {
            return invalid("is longer than 200 bytes");
        }
        let mut names = Vec::new();
        for name in pattern.split('.') {
            if name == "*" {
                names.push(None);
                continue;
            }
            let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ');
            if name.contains('*') {
                return invalid("has a `*` beside other characters: it stands for a whole name");
            }
            if !name.chars().all(is_name) {
                return invalid("has a character that is no letter, digit, `_`, `-`, `.` or blank");
            }
            let plain = plain(name.as_bytes());
            if plain.is_empty() {
                return invalid("has a name without a letter");
            }
            if plain.len() > MAX_NAME {
                return invalid("has a name of more than 60 letters");
            }
            names.push(Some(plain.into_boxed_slice()));
        }
        match names.as_slice() {
            [Some(words)] => Ok(Self::Words(words.clone())),
            _ if names.iter().all(Option::is_none) => invalid("names nothing"),
            _ => Ok(Self::Path(names.into())),
        }
    }

    /// Whether it may fit a member whose name this ends with.
    fn may_fit(&self, text: &[u8]) -> bool {
        match self {
            Self::Words(words) => ends_with(text, words),
            Self::Path(names) => match names.last() {
                Some(Some(last)) => plain(text).ends_with(last),
                _ => true,
            },
        }
    }

    fn fits(&self, path: &Path, name: &[u8]) -> bool {
        match self {
            Self::Words(words) => ends_with(name, words),
            Self::Path(names) => {
                let own = Path::split(name).collect::<Vec<_>>();
                let mut all = own.iter().rev().chain(path.0.iter().rev());
                names.iter().rev().all(|wanted| {
                    all.next()
                        .is_some_and(|name| wanted.as_deref().is_none_or(|wanted| wanted == name))
                })
            }
        }
    }

    /// The last two letters that the names have which it fits; none when they may have any.
    fn ends(&self) -> Option<[u8; 2]> {
        let last = match self {
            Self::Words(words) => words,
            Self::Path(names) => names.last()?.as_ref()?,
        };
        last.last_chunk().copied().filter(|ends: &[u8; 2]| ends.iter().all(u8::is_ascii_alphabetic))
    }
}

/// The names that lead to a value, outermost first.
#[derive(Debug, Clone, Default)]
pub(super) struct Path(Vec<Vec<u8>>);

impl Path {
    fn split(name: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        name.split(|byte| *byte == b'.').map(plain)
    }

    /// Goes into the value of that name; how many names that is.
    pub(super) fn enter(&mut self, name: &[u8]) -> usize {
        let before = self.0.len();
        self.0.extend(Self::split(name));
        self.0.len() - before
    }

    pub(super) fn leave(&mut self, names: usize) {
        self.0.truncate(self.0.len().saturating_sub(names));
    }
}

/// What is done with the value of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is taken out.
    Redact,
    /// A mark that can be opened takes its place.
    Seal,
    /// A mark that equal values share takes its place.
    Hash,
}

/// Which names are those of secrets for one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    added: Vec<Pattern>,
    kept: Vec<Pattern>,
    hashed: Vec<Pattern>,
    sealed: Vec<Pattern>,
    ends: Ends,
}

impl Default for Names {
    fn default() -> Self {
        let none = Vec::new;
        let ends = Ends::BUILT_IN;
        Self { added: none(), kept: none(), hashed: none(), sealed: none(), ends }
    }
}

impl Names {
    /// Reads patterns; or says which cannot be.
    pub(crate) fn parse(added: &[String], kept: &[String]) -> Result<Self, String> {
        let (added, kept) = (parse(added)?, parse(kept)?);
        let mut ends = Ends::BUILT_IN;
        added.iter().for_each(|pattern| ends.add(pattern.ends()));
        Ok(Self { added, kept, ends, ..Self::default() })
    }

    /// Adds those of what is hashed.
    pub(crate) fn hashing(mut self, patterns: &[String]) -> Result<Self, String> {
        self.hashed = parse(patterns)?;
        self.hashed.iter().for_each(|pattern| self.ends.add(pattern.ends()));
        Ok(self)
    }

    /// Adds those of what is sealed.
    pub(crate) fn sealing(mut self, patterns: &[String]) -> Result<Self, String> {
        self.sealed = parse(patterns)?;
        self.sealed.iter().for_each(|pattern| self.ends.add(pattern.ends()));
        Ok(self)
    }

    fn all(&self) -> impl Iterator<Item = &Pattern> {
        self.added.iter().chain(&self.hashed).chain(&self.sealed)
    }

    /// Whether paths matter.
    pub(super) fn have_paths(&self) -> bool {
        self.all().chain(&self.kept).any(|pattern| matches!(pattern, Pattern::Path(_)))
    }

    /// Whether anything is done with a member whose name this ends with.
    pub(super) fn may_concern(&self, text: &[u8]) -> bool {
        names::is_secret(text) || self.all().any(|pattern| pattern.may_fit(text))
    }

    /// What is done with the member of that name behind that path.
    pub(super) fn fate(&self, path: &Path, name: &[u8]) -> Option<Fate> {
        let fits = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.fits(path, name));
        if self.hide(path, name) {
            Some(Fate::Redact)
        } else if fits(&self.sealed) {
            Some(Fate::Seal)
        } else {
            fits(&self.hashed).then_some(Fate::Hash)
        }
    }

    /// Whether the member of that name behind that path is a secret.
    pub(super) fn hide(&self, path: &Path, name: &[u8]) -> bool {
        self.added.iter().any(|pattern| pattern.fits(path, name))
            || names::is_secret(name) && !self.keep(path, name)
    }

    /// Whether it is exempt.
    pub(super) fn keep(&self, path: &Path, name: &[u8]) -> bool {
        self.kept.iter().any(|pattern| pattern.fits(path, name))
    }

    pub(super) fn ends(&self) -> &Ends {
        &self.ends
    }
}

fn parse(patterns: &[String]) -> Result<Vec<Pattern>, String> {
    match patterns.get(MAX_PATTERNS) {
        Some(one) => Err(format!("{one:?} is one more than {MAX_PATTERNS} patterns")),
        None => patterns.iter().map(|pattern| Pattern::parse(pattern.trim())).collect(),
    }
}

/// The last two letters of the names of secrets: few names end with such.
///
/// Of each last letter, a bit for each that may be before it. What is no letter has all bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ends([u32; 256]);

/// The bits of what is before the last letter.
static BEFORE: [u32; 256] = {
    let mut bits = [u32::MAX; 256];
    let mut byte = b'A';
    while byte <= b'z' {
        if byte.is_ascii_alphabetic() {
            bits[byte as usize] = 1 << (byte & 31);
        }
        byte += 1;
    }
    bits
};

impl Ends {
    const BUILT_IN: Self = {
        let mut ends = Self([u32::MAX; 256]);
        let mut byte = b'A';
        while byte <= b'z' {
            if byte.is_ascii_alphabetic() {
                ends.0[byte as usize] = 0;
            }
            byte += 1;
        }
        let mut at = 0;
        while at < names::SECRETS.len() {
            let name = names::SECRETS[at].as_bytes();
            ends.set(name[name.len() - 2], name[name.len() - 1]);
            at += 1;
        }
        ends
    };

    const fn set(&mut self, last_but_one: u8, last: u8) {
        let bit = 1 << (last_but_one & 31);
        self.0[last.to_ascii_lowercase() as usize] |= bit;
        self.0[last.to_ascii_uppercase() as usize] |= bit;
    }

    fn add(&mut self, ends: Option<[u8; 2]>) {
        match ends {
            Some([last_but_one, last]) => self.set(last_but_one, last),
            None => self.0 = [u32::MAX; 256],
        }
    }

    /// Whether a name may end so: with no letter, with the last of a secret's behind what is no letter, or with its
    /// last two.
    #[inline]
    pub(super) fn have(&self, last_but_one: u8, last: u8) -> bool {
        self.0[usize::from(last)] & BEFORE[usize::from(last_but_one)] != 0
    }
}

/// A name in lower case, without what is between its words.
fn plain(name: &[u8]) -> Vec<u8> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
    name.iter().filter(|byte| is_plain(byte)).map(u8::to_ascii_lowercase).collect()
}

/// Whether the last words of a name are these; digits behind them do not count.
fn ends_with(name: &[u8], words: &[u8]) -> bool {
    let mut wanted = words.iter().rev().peekable();
    let has_begun = |wanted: &mut dyn ExactSizeIterator<Item = &u8>| wanted.len() < words.len();
    let mut rest = name;
    while let [before @ .., byte] = rest {
        let is_between = byte.is_ascii() && !byte.is_ascii_alphanumeric();
        if !is_between {
            if wanted.peek().is_some_and(|letter| letter.eq_ignore_ascii_case(byte)) {
                wanted.next();
                if wanted.peek().is_none() {
                    return names::begins_word(before, *byte, name.get(rest.len()));
                }
            } else if has_begun(&mut wanted) || !byte.is_ascii_digit() {
                return false;
            }
        }
        rest = before;
    }
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names(added: &[&str], kept: &[&str]) -> Names {
        let owned =
            |patterns: &[&str]| patterns.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        Names::parse(&owned(added), &owned(kept)).unwrap()
    }

    fn hides(names: &Names, path: &str) -> bool {
        let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut path = Path::default();
        parents.split('/').filter(|name| !name.is_empty()).for_each(|name| {
            path.enter(name.as_bytes());
        });
        let hides = names.hide(&path, name.as_bytes());
        assert!(!hides || names.may_concern(name.as_bytes()), "{name}");
        hides
    }

    #[test]
    fn patterns_fit_names_and_paths() {
        for (pattern, fits, does_not) in [
            (
                "iban",
                &["iban", "IBAN", "customer_iban", "customerIban", "iban2", "a/b/x-iban"][..],
                &["ibans", "iban_country", "xiban", "iba"][..],
            ),
            (
                "tax_id",
                &["taxId", "tax_id", "TAX-ID", "customer.tax_id", "a/taxid"],
                &["tax", "tax_id_of", "syntax_id"],
            ),
            ("p2p_key3", &["p2pKey3", "p2p_key_3"], &["p2p_key", "p2p_key4"]),
            ("größe", &["größe", "die_größe"], &["grösse"]),
            (
                "user.email",
                &["user/email", "details/user/e_mail", "user.email", "a.user.email"],
                &["email", "superuser/email", "user/x/email", "user/email2"],
            ),
            (
                "details.customer.email",
                &["details/customer/email", "details/customer.email"],
                &["customer/email", "details/x/customer/email"],
            ),
            ("*.iban", &["a/iban", "a/b/iban", "a.iban"], &["iban", "a/my_iban"]),
            (
                "customer.*",
                &["customer/x", "a/customer/y", "customer.z"],
                &["customer", "customer/x/y", "a/b"],
            ),
            ("a.*.c", &["a/b/c", "x/a/b/c"], &["a/c", "a/b/b/c"]),
        ] {
            let names = names(&[pattern], &[]);
            fits.iter().for_each(|path| assert!(hides(&names, path), "{pattern} {path}"));
            does_not.iter().for_each(|path| assert!(!hides(&names, path), "{pattern} {path}"));
        }
    }

    #[test]
    fn what_is_kept_is_exempt_unless_it_was_added() {
        let names = names(&["home.pin", "note"], &["pin", "auth.token", "note"]);
        for kept in ["pin", "card_pin", "auth/token", "work/pin"] {
            assert!(!hides(&names, kept), "{kept}");
        }
        for hidden in ["home/pin", "note", "token", "x/token", "password", "auth_token"] {
            assert!(hides(&names, hidden), "{hidden}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_text() {
        let long = "a".repeat(61);
        for pattern in [
            "",
            "*",
            "*.*",
            "pass*",
            "a..b",
            ".a",
            "a.",
            "a/b",
            "__",
            "a.*b",
            "a,b",
            &long,
            &"a.".repeat(150),
        ] {
            let error = Names::parse(&["fine".to_owned(), pattern.to_owned()], &[]).unwrap_err();
            assert!(error.contains(&format!("{pattern:?}")), "{error}");
            Names::parse(&[], &[pattern.to_owned()]).unwrap_err();
        }
        let many: Vec<_> = (0..MAX_PATTERNS).map(|number| format!("name{number}x")).collect();
        Names::parse(&many, &many).unwrap();
        let more = [many, vec!["last".to_owned()]].concat();
        let error = Names::parse(&more, &[]).unwrap_err();
        assert!(error.contains("last") && error.contains("256"), "{error}");
    }

    #[test]
    fn the_last_letters_of_every_secret_are_known() {
        let names = names(&["iban", "user.mail"], &[]);
        for name in names::SECRETS.iter().copied().chain(["iban", "mail"]) {
            let [.., a, b] = name.as_bytes() else { panic!("{name}") };
            assert!(names.ends().have(*a, *b) && names.ends().have(a - 32, b - 32), "{name}");
        }
        assert!(!Names::default().ends().have(b'a', b'n') && names.ends().have(b'a', b'n'));
        let ends = Names::default().ends;
        for [a, b] in [*b"_n", *b"n_", *b"2n", *b"n2", *b"\xc3n", *b"n\xbc", [b' ', b' ']] {
            assert!(ends.have(a, b), "{a} {b}");
        }
        // No secret ends with an `f`.
        assert!(!ends.have(b'_', b'f'));
        assert!(super::tests::names(&["a.*"], &[]).ends().have(b'x', b'x'));
    }
}
