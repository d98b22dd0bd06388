"""The text of a request -> a Query that is checked against the model. Pure; the grammar is `grammar.lark`.

syntax     the tree of expressions, and the errors that clients meet
parser     text of one option -> tree, with positions
options    the query string -> Query
path       the resource path -> where a request begins
check      names of a tree against the model
"""
