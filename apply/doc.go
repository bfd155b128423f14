// Package apply carries out a plan and reports each change truly, whatever the
// network, the API, the process or another run does meanwhile.
//
// # Mechanisms
//
// docs/faults.md says what a run promises under which fault. This is how it keeps
// the promises.
//
// Updates and deletes are sent again, and a delete that meets 404 is done.
//
// The answer to a create is lost: the request is never repeated blindly. The run
// lists the account, and adopts a flow of that name and content that did not exist
// when the plan was made. When two listings, [AbsentAfter] apart, lack it, the create
// is sent again; a listing [LateAfter] after the last write shows a copy that
// appeared late, and the run settles it. With a flow of that name and other content,
// the change fails.
//
// Listings lag behind the writes: what the last listing does not show as the answers
// said is fetched by its SID, and the fetch counts. A 404, which may be untrue, and
// any difference are checked twice. A listing that lacks flows that this run created
// cannot show a second one beside them: the account is listed again until it has
// them, for at most [LateAfter].
//
// Twilio never processes a request that it answers with 429 (error 20429), so any
// request may be sent again. Package flexapi paces the requests of all workers.
//
// The process is killed: there is no state to lose. What was written is in the
// account, and the next run plans from there. A create that is carried out after the
// kill leaves at most a flow that the next run finds by its name, or, if the two
// overlap, an equal copy, which the next plan deletes. A flow that was disabled to
// break a cycle is enabled by the next run: a plan whose cycles consist of flows with
// `enabled` in ignore_changes is refused. Copies are deleted before the flow that
// stays is changed, so that at no moment flows of one name differ, which the next run
// would have to refuse.
//
// Two runs at the same time may both create a flow of one name. Each run lists the
// account at the end, and of the flows of a name that it created the older stays,
// then the one of the lower SID. All runs choose alike, and each lists after its last
// create, so every run that created another flow sees the one that stays, and exactly
// one is left. Since listings may be late, the flows concerned are fetched first.
//
// Runs of different configurations follow the same rule where the two flows differ,
// but each deletes only its own. A name whose flow is another run's is a [Mismatch],
// and the next run decides what the flow holds. Dates have a resolution of a second,
// so the flow of the lower SID may have been created after the other run ended. Then
// the other flow is still there in three views, and the run deletes its own.
//
// With plan.Plan.NoDelete, copies are kept and reported instead, and the flow that
// would stay has the name.
//
// A move disables the flow, creates or enables the address, and deletes the flow only
// when the response to the second was right. Otherwise the flow is enabled again, also
// after an interruption; after a kill, the next plan finds the flow off and finishes
// the move. An address whose creation is in doubt counts as not there: Twilio routes
// messages to the flow as long as it is enabled, so to enable it is never wrong. Each
// move is a chain of its own.
//
// A create is answered with 409: the account has this address already. The run lists
// the account, and adopts an address of this identity and content that did not exist
// when the plan was made. With other content, the change fails.
//
// A write fails for good: the changes that need the identity it was to free are
// skipped. A flow that was disabled to break a cycle is enabled again.
//
// The API reports success but does something else: every answer is compared with
// what was sent, and the last listing with the whole plan. A difference is a
// [Mismatch].
//
// The context ends (SIGINT, SIGTERM): waits end at once. The last listing and the
// settlement of copies follow, within the [GracePeriod]. A flow that is disabled at
// that moment to break a cycle is enabled again.
//
// # What no client can promise
//
// The answer to a create is lost, two listings lack the flow, and the server carries
// the create out after the last listing of this run, or listings show it later than
// [LateAfter]. Then the name has a second flow. When the two are equal, the next plan
// deletes one as a copy. When they differ, because a run of another configuration
// came between, the next plan is refused until one is pinned. The same holds for a
// run that is killed before it takes back a flow that it created.
//
// One run yields, and another takes its flow back at the same moment. Then the name
// has no flow, both runs report it, and the next one creates it.
package apply
