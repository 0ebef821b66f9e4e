//! What a session has cached, for hot loops: functions that never block.
//!
//! JavaScript keeps what it got under a number, so that the usual call makes no string and no
//! object. Each function returns one of three:
//!
//! - `null`: there is no valid token, and the caller has to wait for one;
//! - an object that JavaScript does not have yet, with its key;
//! - the key of an object that JavaScript has already, or [`NOT_SERVED`].

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use napi::Env;
use napi::bindgen_prelude::{Either, Function, JsObjectValue, Object};
use planetkey::{Authorization, Immediate, Session};

use crate::function::{of_text, without_argument};
use crate::own::property;
use crate::values::{AuthorizationValue, HeaderValue, NOT_KEPT, TokenValue, key, key_of_header};

/// Nothing of this session goes to this URL.
const NOT_SERVED: f64 = -2.0;
/// More than a session has sources. Of more keys most belong to tokens that have expired.
const MAX_KEPT: usize = 16;

/// A key, an object, or `None` for null.
type Found<T> = Option<Either<f64, T>>;

/// The keys of the objects that JavaScript keeps.
#[derive(Default)]
struct Kept(RefCell<Vec<f64>>);

/// Whether JavaScript has the object of this key.
enum Novelty {
    Kept,
    /// `is_first`: JavaScript drops the others before it keeps this one.
    New {
        is_first: bool,
    },
}

impl Kept {
    fn add(&self, key: f64) -> Novelty {
        let mut keys = self.0.borrow_mut();
        if keys.contains(&key) {
            return Novelty::Kept;
        }
        if keys.len() >= MAX_KEPT {
            keys.clear();
        }
        keys.push(key);
        Novelty::New { is_first: keys.len() == 1 }
    }

    fn authorization(
        &self,
        authorization: &Authorization,
        url: &str,
    ) -> Either<f64, AuthorizationValue> {
        // An object that JavaScript keeps does not say which URL it was for.
        if authorization.url() != url {
            return Either::B(AuthorizationValue::new(authorization, NOT_KEPT, false));
        }
        let key = key(authorization);
        match self.add(key) {
            Novelty::Kept => Either::A(key),
            Novelty::New { is_first } => {
                Either::B(AuthorizationValue::new(authorization, key, is_first))
            }
        }
    }
}

/// An object with the functions `accessToken()`, `headers(url)`, `authorize(url)` and
/// `authorizeIfServed(url)`.
pub(crate) fn lookups<'env>(env: &'env Env, session: &Session) -> napi::Result<Object<'env>> {
    let kept = Rc::new(Kept::default());
    let also_kept = Rc::clone(&kept);
    let properties = [
        property(env, "accessToken", access_token(env, session.clone())?)?,
        property(env, "headers", headers(env, session.clone())?)?,
        property(
            env,
            "authorize",
            by_url(env, session.clone(), move |session, url| {
                let authorization = session.authorize_cached(url)?;
                Ok(authorization.map(|authorization| kept.authorization(&authorization, url)))
            })?,
        )?,
        property(
            env,
            "authorizeIfServed",
            by_url(env, session.clone(), move |session, url| {
                Ok(match session.authorize_if_served_cached(url)? {
                    Immediate::Authorization(authorization) => {
                        Some(also_kept.authorization(&authorization, url))
                    }
                    Immediate::Nothing => Some(Either::A(NOT_SERVED)),
                    _ => None,
                })
            })?,
        )?,
    ];
    let mut functions = Object::new(env)?;
    functions.define_properties(&properties)?;
    Ok(functions)
}

fn access_token(env: &Env, session: Session) -> napi::Result<Function<'_, (), Found<TokenValue>>> {
    let kept = Cell::new(NOT_KEPT);
    without_argument(env, move || {
        Ok(session.access_token_cached()?.map(|token| {
            let key = token.generation() as f64;
            if kept.replace(key) == key {
                Either::A(key)
            } else {
                Either::B(TokenValue::from(token))
            }
        }))
    })
}

fn headers(
    env: &Env,
    session: Session,
) -> napi::Result<Function<'_, (String,), Found<HeaderValue>>> {
    let kept = Kept::default();
    by_url(env, session, move |session, url| {
        session.with_header_cached(url, |header| {
            let key = key_of_header(&header);
            match kept.add(key) {
                Novelty::Kept => Either::A(key),
                Novelty::New { is_first } => Either::B(HeaderValue::new(&header, key, is_first)),
            }
        })
    })
}

fn by_url<'env, T: napi::bindgen_prelude::ToNapiValue + 'static>(
    env: &'env Env,
    session: Session,
    look: impl Fn(&Session, &str) -> planetkey::Result<Found<T>> + 'static,
) -> napi::Result<Function<'env, (String,), Found<T>>> {
    of_text(env, move |url| look(&session, url))
}
