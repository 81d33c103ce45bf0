//! Which names are those of secrets.
//!
//! A name is taken apart into words, at every character that is no letter or digit and where a capital
//! begins one, and is a secret's when its last words are one of [`SECRETS`]: `db_password`,
//! `X-Api-Key`, `clientSecret`. What comes behind says that it is something else: `password_changed_at`,
//! `token_count`, `api_key_id`. Digits at the end do not count: `password2`.

/// Last words of the names of secrets, in lower case and without what is between them, sorted. 64 at most.
pub(super) const SECRETS: &[&str] = &[
    "accesskey",
    "accesstokens",
    "apikey",
    "apikeys",
    "apitokens",
    "authorization",
    "authtokens",
    "backupcode",
    "backupcodes",
    "cardnumber",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "cvc",
    "cvv",
    "encryptionkey",
    "jwt",
    "mfacode",
    "otp",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwordconfirmation",
    "passwordhash",
    "passwords",
    "pin",
    "pincode",
    "privatekey",
    "privatekeys",
    "pwd",
    "recoverycode",
    "recoverycodes",
    "refreshtokens",
    "secret",
    "secretaccesskey",
    "secretkey",
    "secrets",
    "securitycode",
    "signingkey",
    "socialsecuritynumber",
    "ssn",
    "token",
    "totp",
];

/// As long as the longest of them.
const LONGEST: usize = 20;

/// One bit for each of them.
type Bits = u64;

/// Of the letters from the end: those that have this letter there, by its place in the alphabet.
const WITH_LETTER: [[Bits; 32]; LONGEST] = {
    let mut with = [[0; 32]; LONGEST];
    let mut at = 0;
    while at < SECRETS.len() {
        let name = SECRETS[at].as_bytes();
        let mut from_end = 0;
        while from_end < name.len() {
            with[from_end][(name[name.len() - 1 - from_end] & 31) as usize] |= 1 << at;
            from_end += 1;
        }
        at += 1;
    }
    with
};

/// Those that are so long.
const OF_LENGTH: [Bits; LONGEST + 1] = {
    let mut of_length = [0; LONGEST + 1];
    let mut at = 0;
    while at < SECRETS.len() {
        of_length[SECRETS[at].len()] |= 1 << at;
        at += 1;
    }
    of_length
};

/// Whether the name is that of a secret; or what ends with it, as far as it is one.
///
/// Letter by letter from the end, with those that are still possible: mostly none is after two or three.
#[inline]
pub(super) fn is_secret(name: &[u8]) -> bool {
    let mut possible = Bits::MAX;
    let mut letters = 0;
    let mut rest = name;
    while let [before @ .., byte] = rest {
        if byte.is_ascii_alphabetic() {
            let Some(with) = WITH_LETTER.get(letters) else { return false };
            possible &= with[usize::from(byte & 31)];
            if possible == 0 {
                return false;
            }
            letters += 1;
            let is_whole = possible & OF_LENGTH[letters] != 0;
            if is_whole && begins_word(before, *byte, name.get(rest.len())) {
                return true;
            }
        } else if !byte.is_ascii() || letters > 0 && byte.is_ascii_digit() {
            return false;
        }
        rest = before;
    }
    false
}

/// Whether a word begins with this byte.
pub(super) fn begins_word(before: &[u8], byte: u8, behind: Option<&u8>) -> bool {
    let Some(before) = before.last() else { return true };
    if before.is_ascii() && !before.is_ascii_alphanumeric() {
        return true;
    }
    // `clientSecret`, and `APIKey` where it says `Ke`.
    byte.is_ascii_uppercase()
        && (!before.is_ascii_uppercase() || behind.is_some_and(u8::is_ascii_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_a_name_decide() {
        for secret in [
            "password",
            "PASSWORD",
            "db_password",
            "user.password",
            "newPassword",
            "password2",
            "password_2",
            "x-api-key",
            "X-Api-Key",
            "apiKey",
            "APIKey",
            "stripeAPIKey",
            "api_key",
            "apikey",
            "api key",
            "clientSecret",
            "token",
            "access_token",
            "Set-Cookie",
            "proxy-authorization",
            "pin",
            "card_pin",
            "card.number",
            "creditCardNumber",
            "AWS_SECRET_ACCESS_KEY",
            "socialSecurityNumber",
            "_token_",
        ] {
            assert!(is_secret(secret.as_bytes()), "{secret}");
        }
        for ordinary in [
            "",
            "_",
            "2",
            "passwords_changed",
            "password_changed_at",
            "token_count",
            "max_tokens",
            "tokens",
            "api_key_id",
            "pinned",
            "shopping",
            "spin",
            "PIN_attempts",
            "authorization_url",
            "keys",
            "key",
            "number",
            "card",
            "secretary",
            "tokenizer",
            "user_id",
            "session_id",
            "therapikey",
            "übertoken",
        ] {
            assert!(!is_secret(ordinary.as_bytes()), "{ordinary}");
        }
    }

    #[test]
    fn the_list_is_sorted_and_its_longest_has_room() {
        assert!(SECRETS.is_sorted());
        assert_eq!(SECRETS.iter().map(|name| name.len()).max(), Some(LONGEST));
        assert!(SECRETS.iter().all(|name| is_secret(name.as_bytes())));
    }
}
