//! The page that the browser shows in the end. It works without a network and repeats nothing that the browser was sent.

/// How the attempt looks from the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    LoggedIn,
    Refused,
    Failed,
    /// Somebody pressed reload, or the answer came twice.
    Over,
    NotFound,
    NotAllowed,
    NotOurs,
    OtherUser,
    BadRequest,
}

impl Page {
    pub(super) const fn status(self) -> (u16, &'static str) {
        match self {
            Page::LoggedIn | Page::Refused | Page::Failed | Page::Over => (200, "OK"),
            Page::NotFound => (404, "Not Found"),
            Page::NotAllowed => (405, "Method Not Allowed"),
            Page::NotOurs | Page::BadRequest => (400, "Bad Request"),
            Page::OtherUser => (403, "Forbidden"),
        }
    }

    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Page::LoggedIn => ("✓", "You are logged in", "You can close this page and return to your program."),
            Page::Refused => ("–", "Not logged in", "The login was refused. Return to your program to try again."),
            Page::Failed => ("!", "Something went wrong", "The login could not be finished. Your program says why."),
            Page::Over => ("✓", "This login is over", "It was answered already. You can close this page."),
            Page::NotFound => ("?", "Nothing here", "This address serves a login that is under way, and nothing else."),
            Page::NotAllowed => ("?", "Nothing here", "This address only takes the browser's own return from a login."),
            Page::NotOurs => ("!", "Not this login", "This answer belongs to another login. Start again from your program."),
            Page::OtherUser => (
                "!",
                "Not your login",
                "This browser runs as another user of this machine than the program that waits for the login. Log in with a browser of the same user.",
            ),
            Page::BadRequest => ("!", "Bad request", "This is no request that a browser makes at the end of a login."),
        }
    }

    /// The whole HTTP response. `own`: the application's HTML for the good end.
    pub(super) fn response(self, own: Option<&str>, with_body: bool) -> Vec<u8> {
        let (status, phrase) = self.status();
        let html = match (self, own) {
            (Page::LoggedIn, Some(own)) => own.to_owned(),
            _ => self.html(),
        };
        let allow = if self == Page::NotAllowed { "Allow: GET\r\n" } else { "" };
        let mut response = format!(
            "HTTP/1.1 {status} {phrase}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n{allow}\
             Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
             Connection: close\r\n\r\n",
            html.len()
        )
        .into_bytes();
        if with_body {
            response.extend_from_slice(html.as_bytes());
        }
        response
    }

    fn html(self) -> String {
        let (sign, title, text) = self.words();
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{title}</title><style>\
             :root{{color-scheme:light dark;--ink:#16313a;--ground:#f3f7f8;--card:#fff;--accent:#007f99}}\
             @media (prefers-color-scheme:dark){{:root{{--ink:#e4eef1;--ground:#0e1b20;--card:#16282f;--accent:#4fc3d9}}}}\
             body{{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--ground);color:var(--ink);\
             font:1.0625rem/1.5 system-ui,sans-serif}}\
             main{{background:var(--card);border-radius:1rem;padding:2.5rem 3rem;max-width:26rem;text-align:center;box-shadow:0 .5rem 2rem #0002}}\
             .sign{{width:3.5rem;height:3.5rem;margin:0 auto 1rem;border-radius:50%;display:grid;place-items:center;\
             background:var(--accent);color:var(--card);font-size:1.75rem;font-weight:700}}\
             h1{{font-size:1.4rem;margin:0 0 .5rem}}p{{margin:0;text-wrap:balance}}</style></head>\
             <body><main><div class=\"sign\" aria-hidden=\"true\">{sign}</div><h1>{title}</h1><p>{text}</p></main></body></html>\n"
        )
    }
}
