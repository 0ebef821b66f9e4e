//! The page that the browser shows after a login. It loads nothing and repeats nothing from the
//! request.

/// What the browser shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    LoggedIn,
    Refused,
    Failed,
    /// The page was reloaded, or the redirect came twice.
    Finished,
    NotFound,
    NotAllowed,
    NotOurs,
    OtherUser,
    BadRequest,
}

impl Page {
    pub(super) const fn status(self) -> (u16, &'static str) {
        match self {
            Page::LoggedIn | Page::Refused | Page::Failed | Page::Finished => (200, "OK"),
            Page::NotFound => (404, "Not Found"),
            Page::NotAllowed => (405, "Method Not Allowed"),
            Page::NotOurs | Page::BadRequest => (400, "Bad Request"),
            Page::OtherUser => (403, "Forbidden"),
        }
    }

    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Page::LoggedIn => {
                ("✓", "You are logged in", "You can close this page and return to your program.")
            }
            Page::Refused => {
                ("–", "Not logged in", "The login was denied. Return to your program to try again.")
            }
            Page::Failed => (
                "!",
                "Login failed",
                "The login could not be completed. Your program shows the reason.",
            ),
            Page::Finished => (
                "✓",
                "This login has finished",
                "The program already has its result. You can close this page.",
            ),
            Page::NotFound => {
                ("?", "Nothing here", "This address only serves a login in progress.")
            }
            Page::NotAllowed => (
                "?",
                "Nothing here",
                "This address only accepts the redirect at the end of a login.",
            ),
            Page::NotOurs => (
                "!",
                "Not this login",
                "This redirect belongs to another login. Start again from your program.",
            ),
            Page::OtherUser => (
                "!",
                "Not your login",
                "This browser and the program that waits for the login run as different users. Log in with a browser of the same user.",
            ),
            Page::BadRequest => {
                ("!", "Bad request", "This request is not the redirect at the end of a login.")
            }
        }
    }

    /// The complete HTTP response. `own` is the application's HTML for a successful login.
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
             body{{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;box-sizing:border-box;background:var(--ground);\
             color:var(--ink);font:1.0625rem/1.5 system-ui,sans-serif}}\
             main{{background:var(--card);border-radius:1rem;padding:clamp(1.5rem,7vw,3rem);max-width:26rem;text-align:center;box-shadow:0 .5rem 2rem #0002}}\
             .sign{{width:3.5rem;height:3.5rem;margin:0 auto 1rem;border-radius:50%;display:grid;place-items:center;\
             background:var(--accent);color:var(--card);font-size:1.75rem;font-weight:700}}\
             h1{{font-size:1.4rem;margin:0 0 .5rem}}p{{margin:0;text-wrap:balance}}</style></head>\
             <body><main><div class=\"sign\" aria-hidden=\"true\">{sign}</div><h1>{title}</h1><p>{text}</p></main></body></html>\n"
        )
    }
}
