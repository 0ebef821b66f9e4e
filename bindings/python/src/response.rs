//! The response of an API, as Python passes it.

use planetkey::ApiResponse;
use pyo3::prelude::*;

use crate::arguments::{instance, integer, text};
use crate::authorization::Authorization;

/// An API's response, with the request that it belongs to.
pub(crate) struct Response<'a> {
    url: &'a str,
    sent: Option<&'a str>,
    http_status: u16,
    www_authenticate: Option<&'a str>,
    can_repeat: bool,
}

impl<'a> Response<'a> {
    pub(crate) fn read(
        url: &'a Bound<'_, PyAny>,
        sent: Option<&'a Bound<'_, PyAny>>,
        http_status: &Bound<'_, PyAny>,
        www_authenticate: Option<&'a Bound<'_, PyAny>>,
        can_repeat: bool,
    ) -> PyResult<Self> {
        Ok(Response {
            url: text("url", url)?,
            sent: sent.map(|sent| text("sent", sent)).transpose()?,
            http_status: integer("http_status", http_status)?,
            www_authenticate: www_authenticate
                .map(|value| text("www_authenticate", value))
                .transpose()?,
            can_repeat,
        })
    }

    pub(crate) fn as_core(&self) -> ApiResponse<'a> {
        let mut response = ApiResponse::new(self.url, self.http_status);
        response.sent = self.sent;
        response.www_authenticate = self.www_authenticate;
        response.can_repeat = self.can_repeat;
        response
    }
}

/// What the request of a response carried.
pub(crate) fn carried<'a>(
    authorization: &'a Bound<'_, PyAny>,
) -> PyResult<&'a planetkey::Authorization> {
    let class = "a planetkey.Authorization";
    instance::<Authorization>("authorization", class, authorization).map(|value| value.get().core())
}
