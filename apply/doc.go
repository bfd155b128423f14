// Package apply carries out a plan and reports each change truly, whatever the
// network, the API, the process or a second run does meanwhile.
//
// # Mechanisms
//
// What a run promises under which fault is in docs/faults.md; this is what
// keeps the promises.
//
// An update or delete is sent again: a delete that meets 404 is done.
//
// The answer to a create is lost: the request is never sent again blindly. The
// account is listed; a flow of that name and content that was not there at
// planning is the one, and is adopted. When it is missing from two listings,
// [AbsentAfter] apart, the create is sent again, and the account is listed once
// more [LateAfter] after the last write: a copy that came late is settled. A
// flow of that name with other content makes the change fail.
//
// Listings lag behind the writes: what the last listing does not show as the
// answers said is fetched by its SID, and the fetch counts. A 404 that may be
// untrue, and any difference, is looked at twice. A listing that does not show
// the flows that this run created cannot show a second one beside them: the
// account is listed again until it does, at most for [LateAfter].
//
// A 429 is never processed by Twilio (error 20429), so any request may be sent
// again; package flexapi paces all workers together.
//
// The process is killed: there is no state to lose. What was written is in the
// account, the next run plans from there. A create under way that is carried
// out after the kill leaves at most a flow that the next run finds by name, or,
// when the two overlap, a copy that equals it, which the next plan deletes.
// A flow that is switched off for a swap of identities when that happens is one
// that the next run switches on again: a plan that could only switch off a flow
// with `enabled` in ignore_changes is refused.
// Copies are deleted before the flow that stays is changed, so that no moment
// leaves flows of one name that differ: the next run would have to refuse them.
//
// Two runs at the same time: both may create a flow of one name. Each run lists
// the account at the end, and of the flows of a name that it created the older
// stays, then the one of the lower SID. All runs compute that alike, and each
// lists after its last create, so the flow that stays is seen by every run that
// made another, and exactly one is left. What is to be deleted, and what is to
// stay, is fetched first, since a listing may be late.
//
// When the two differ, for the runs are of different configurations, the rule is
// the same, but a run deletes only what it made itself. A name whose flow is
// another run's is a [Mismatch] that says so, and the next run decides what the
// flow holds. Dates have seconds: the flow of the lower SID may have come after
// the other's run was through. Then, seen at three looks, it yields to the other.
//
// With plan.Plan.NoDelete nothing of this is deleted: copies are kept and
// reported, and the flow that would stay has the name.
//
// A write fails for good: the changes that need the identity it was to free
// are skipped. A flow that was switched off for a swap of identities is
// switched on again.
//
// The API says yes and does something else: every answer is compared with what
// was sent, and the last listing with the whole plan. A difference is a
// [Mismatch].
//
// The context ends (SIGINT, SIGTERM): waits end at once, and the last listing
// and the settlement of copies still come, within [Farewell]. A flow that is
// switched off for a swap at that moment is switched on again.
//
// # What no client can promise
//
// A create whose answer is lost, that is absent from both listings and is
// carried out by the server later than the last listing of this run, or shown
// by listings later than [LateAfter]: it leaves a second flow of the name. When
// it equals the first, the next plan deletes it as a copy; until then there are
// two. When it differs, because a run of another configuration came between,
// the next plan is refused until one is pinned. So it is when a run is killed
// after it made a flow that it would have taken back.
//
// A run whose flow yields, and a run that takes its own back, may do so within
// the same moment: then the name has no flow, both runs say so, and the next
// one makes it.
package apply
