//! The limits of one call to an authorization server.

use super::{Http, Request, Response, Retry};
use crate::clock::{Clock, Monotonic, Random};
use crate::error::Result;
use std::time::Duration;

/// The transport, the deadline and the retries of one call, which may send several requests.
#[derive(Clone, Copy)]
pub struct CallContext<'a> {
    http: &'a Http,
    retry: Retry,
    deadline: Monotonic,
}

impl<'a> CallContext<'a> {
    /// A call that ends at `deadline`.
    pub fn new(http: &'a Http, retry: Retry, deadline: Monotonic) -> Self {
        CallContext { http, retry, deadline }
    }

    /// A call that may take this long from now.
    pub fn within(http: &'a Http, retry: Retry, timeout: Duration) -> Self {
        CallContext { http, retry, deadline: http.clock().now().monotonic + timeout }
    }

    /// The same call over another transport.
    pub(crate) fn over<'b>(&self, http: &'b Http) -> CallContext<'b> {
        CallContext { http, retry: self.retry, deadline: self.deadline }
    }

    /// The same call with other retries.
    pub fn with_retry(&self, retry: Retry) -> Self {
        CallContext { retry, ..*self }
    }

    /// Whether its deadline has not passed.
    pub(crate) fn has_time_left(&self) -> bool {
        self.clock().now().monotonic < self.deadline
    }

    /// How long it may still take.
    pub(crate) fn time_left(&self) -> Duration {
        self.deadline - self.clock().now().monotonic
    }

    pub(crate) fn clock(&self) -> &'a dyn Clock {
        self.http.clock()
    }

    pub(crate) fn random(&self) -> &'a dyn Random {
        self.http.random()
    }

    /// Sends a request within the call.
    ///
    /// Blocks; uses the network. Errors: as [`Http::send`].
    pub(crate) fn send(&self, request: &Request) -> Result<Response> {
        self.http.send(request, self.retry, self.deadline)
    }
}
