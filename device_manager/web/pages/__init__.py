"""Pages, thin: parse the visit, call one service, show. One file a page; `web.routes` says who may see which."""
