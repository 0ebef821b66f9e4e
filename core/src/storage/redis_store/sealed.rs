//! Seals what is saved in the store, so that a reader of the store learns nothing and a writer
//! cannot forge anything.

use crate::clock::Random;
use crate::error::{Error, Result, Status};
use crate::storage::fingerprint;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use zeroize::Zeroizing;

/// The version of the sealed form, and of the key derivation.
const FORM: &str = "1";
const SALT: &[u8] = b"planetkey store 1";
const KEY_BYTES: usize = 32;
/// Eight bytes identify a key among those of one client.
const ID_BYTES: usize = 8;
/// A shorter key is likely to be a password, which can be guessed from a copy of the store.
pub(crate) const MIN_KEY_CHARACTERS: usize = 32;

/// One key, derived from a secret.
struct Key {
    id: String,
    cipher: LessSafeKey,
    name: hmac::Key,
}

/// The keys of one session. The first one seals; all of them open.
pub struct Keys(Vec<Key>);

/// Why a sealed text was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unopened {
    /// Another key sealed it.
    OtherKey,
    /// It was damaged, moved from another record or field, or is in an unknown form.
    Damaged,
}

impl Keys {
    /// The keys from secrets: that of an M2M client, or those of the variable for user sessions.
    ///
    /// Errors: INTERNAL if a key cannot be derived.
    pub fn derive<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Result<Self> {
        let keys: Result<Vec<Key>> = secrets.into_iter().map(Key::derive).collect();
        Ok(Keys(keys?)).and_then(|keys| if keys.0.is_empty() { Err(internal()) } else { Ok(keys) })
    }

    /// A name that only holders of the key can compute from its parts.
    pub(super) fn name(&self, parts: &[&str]) -> String {
        let plain = fingerprint(parts);
        let Some(key) = self.0.first() else { return plain };
        hex(hmac::sign(&key.name, plain.as_bytes()).as_ref())
    }

    /// Seals a text. `place` says where it is saved: it can be opened only there.
    ///
    /// Errors: INTERNAL without random numbers.
    pub(super) fn seal(&self, text: &[u8], place: &str, random: &dyn Random) -> Result<String> {
        let key = self.0.first().ok_or_else(internal)?;
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce).map_err(|_| internal())?;
        // Large enough from the start, because a vector that grows leaves copies in memory.
        let mut sealed =
            Zeroizing::new(Vec::with_capacity(text.len() + AES_256_GCM.tag_len() + NONCE_LEN));
        sealed.extend_from_slice(text);
        let tag = key
            .cipher
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated(&key.id, place)),
                sealed.as_mut_slice(),
            )
            .map_err(|_| internal())?;
        sealed.extend_from_slice(tag.as_ref());
        sealed.extend_from_slice(&nonce);
        Ok(format!("{FORM}.{}.{}", key.id, BASE64.encode(sealed.as_slice())))
    }

    /// Opens what [`Keys::seal`] sealed for the same place.
    pub(super) fn open(
        &self,
        sealed: &str,
        place: &str,
    ) -> std::result::Result<Zeroizing<Vec<u8>>, Unopened> {
        let damaged = Unopened::Damaged;
        let mut parts = sealed.splitn(3, '.');
        let (form, id, text) = (parts.next(), parts.next(), parts.next());
        let (Some(FORM), Some(id), Some(text)) = (form, id, text) else { return Err(damaged) };
        let key = self.0.iter().find(|key| key.id == id).ok_or(Unopened::OtherKey)?;
        let mut bytes = Zeroizing::new(BASE64.decode(text).map_err(|_| damaged)?);
        let end = bytes.len().checked_sub(NONCE_LEN).ok_or(damaged)?;
        let nonce = bytes.get(end..).and_then(|nonce| <[u8; NONCE_LEN]>::try_from(nonce).ok());
        let nonce = Nonce::assume_unique_for_key(nonce.ok_or(damaged)?);
        bytes.truncate(end);
        let opened = key
            .cipher
            .open_in_place(nonce, Aad::from(associated(id, place)), bytes.as_mut_slice())
            .map(|opened| opened.len())
            .map_err(|_| damaged)?;
        bytes.truncate(opened);
        Ok(bytes)
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<&str> = self.0.iter().map(|key| key.id.as_str()).collect();
        write!(f, "Keys({})", ids.join(", "))
    }
}

impl Key {
    fn derive(secret: &[u8]) -> Result<Self> {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(secret);
        let derived = |purpose: &[u8]| -> Result<Zeroizing<[u8; KEY_BYTES]>> {
            let mut key = Zeroizing::new([0; KEY_BYTES]);
            root.expand(&[purpose], hkdf::HKDF_SHA256)
                .and_then(|okm| okm.fill(key.as_mut_slice()))
                .map_err(|_| internal())?;
            Ok(key)
        };
        let cipher = UnboundKey::new(&AES_256_GCM, derived(b"seal")?.as_slice());
        Ok(Key {
            id: hex(derived(b"id")?.get(..ID_BYTES).unwrap_or_default()),
            cipher: LessSafeKey::new(cipher.map_err(|_| internal())?),
            name: hmac::Key::new(hmac::HMAC_SHA256, derived(b"name")?.as_slice()),
        })
    }
}

/// The data that a sealed text is bound to.
fn associated(id: &str, place: &str) -> Vec<u8> {
    format!("planetkey:{FORM}\n{id}\n{place}").into_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn internal() -> Error {
    Error::new(Status::Internal, "the data for the store could not be encrypted")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRandom;

    fn keys(secrets: &[&str]) -> Keys {
        Keys::derive(secrets.iter().map(|secret| secret.as_bytes()))
            .unwrap_or_else(|error| unreachable!("{error}"))
    }

    #[test]
    fn a_sealed_text_opens_with_its_key_at_its_place_only() {
        let (one, other) = (keys(&["one"]), keys(&["other"]));
        let sealed = one.seal(b"text", "record tokens", &SystemRandom).unwrap_or_default();
        assert!(!sealed.contains("text"));
        assert_eq!(one.open(&sealed, "record tokens").as_deref(), Ok(&b"text".to_vec()));
        assert_eq!(one.open(&sealed, "record wait").err(), Some(Unopened::Damaged));
        assert_eq!(one.open(&sealed, "another tokens").err(), Some(Unopened::Damaged));
        assert_eq!(other.open(&sealed, "record tokens").err(), Some(Unopened::OtherKey));
    }

    #[test]
    fn no_character_of_a_sealed_text_can_be_changed() {
        let keys = keys(&["one"]);
        let sealed = keys.seal(b"text", "place", &SystemRandom).unwrap_or_default();
        for index in 0..sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap_or_default();
            assert!(keys.open(&changed, "place").is_err(), "{index}");
        }
        assert!(keys.open("", "place").is_err());
        assert!(keys.open(&sealed[..sealed.len() - 1], "place").is_err());
    }

    #[test]
    fn an_older_key_opens_and_the_first_one_seals() {
        let (before, during, after) = (keys(&["old"]), keys(&["new", "old"]), keys(&["new"]));
        let old = before.seal(b"text", "place", &SystemRandom).unwrap_or_default();
        assert_eq!(during.open(&old, "place").as_deref(), Ok(&b"text".to_vec()));
        let new = during.seal(b"text", "place", &SystemRandom).unwrap_or_default();
        assert_eq!(after.open(&new, "place").as_deref(), Ok(&b"text".to_vec()));
        assert_eq!(before.open(&new, "place").err(), Some(Unopened::OtherKey));
    }

    #[test]
    fn equal_texts_are_sealed_differently() {
        let keys = keys(&["one"]);
        let seal = || keys.seal(b"text", "place", &SystemRandom).unwrap_or_default();
        assert_ne!(seal(), seal());
    }
}
