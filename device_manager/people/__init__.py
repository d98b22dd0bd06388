"""People of the fleet: who may sign in, with which role, and who is signed in now.

    passwords    argon2id, by argon2-cffi
    sessions     when a session ends; pure
    throttle     how many wrong passwords a name or an address may try; pure
    outside      who an OpenID Connect provider knows, and which role that gives; pure
    service      the one way to add, change and remove people, to sign in and out

A session's token is known to the browser alone: the store keeps its hash. A new one is made at every signing in, so
that a token somebody planted before is worth nothing (session fixation).
"""

from device_manager.people.service import People, PeopleStore, Person, SignedIn

__all__ = ["People", "PeopleStore", "Person", "SignedIn"]
