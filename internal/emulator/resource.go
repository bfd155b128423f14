package emulator

import (
	"maps"
	"strings"
)

// resourceKind describes the items of a read-only listing: the shapes of the
// OpenAPI files of Conversations, Studio and TaskRouter.
type resourceKind struct {
	prefix    string            // of the SIDs
	defaults  map[string]any    // properties that an item has when it is given without
	links     map[string]string // link name to the last part of its path
	complete  func(*resource)   // fills in what depends on the item itself
	fetchOnly string            // property that a listing has as null
}

var (
	serviceKind = resourceKind{
		prefix:   "IS",
		defaults: map[string]any{"friendly_name": nil},
		links: map[string]string{
			"conversations": "Conversations", "users": "Users", "roles": "Roles", "bindings": "Bindings",
			"configuration": "Configuration", "participant_conversations": "ParticipantConversations",
			"conversation_with_participants": "ConversationWithParticipants",
		},
	}
	studioFlowKind = resourceKind{
		prefix: "FW",
		defaults: map[string]any{
			"friendly_name": nil, "status": "published", "revision": 1, "author_sid": nil, "definition": nil,
			"commit_message": nil, "valid": nil, "errors": nil, "warnings": nil, "webhook_url": nil,
		},
		links:     map[string]string{"revisions": "Revisions", "test_users": "TestUsers", "executions": "Executions"},
		fetchOnly: "definition",
	}
	workspaceKind = resourceKind{
		prefix: "WS",
		defaults: map[string]any{
			"friendly_name": nil, "default_activity_name": nil, "default_activity_sid": nil,
			"timeout_activity_name": nil, "timeout_activity_sid": nil, "event_callback_url": nil,
			"events_filter": nil, "multi_task_enabled": true, "prioritize_queue_order": "FIFO",
		},
		links: map[string]string{
			"activities": "Activities", "statistics": "Statistics", "real_time_statistics": "RealTimeStatistics",
			"cumulative_statistics": "CumulativeStatistics", "task_queues": "TaskQueues", "tasks": "Tasks",
			"workers": "Workers", "workflows": "Workflows", "task_channels": "TaskChannels", "events": "Events",
		},
	}
	workflowKind = resourceKind{
		prefix: "WW",
		defaults: map[string]any{
			"friendly_name": nil, "assignment_callback_url": nil, "fallback_assignment_callback_url": nil,
			"configuration": "{}", "document_content_type": "application/json", "task_reservation_timeout": 120,
		},
		links: map[string]string{
			"statistics": "Statistics", "real_time_statistics": "RealTimeStatistics",
			"cumulative_statistics": "CumulativeStatistics",
		},
	}
	taskChannelKind = resourceKind{
		prefix:   "TC",
		defaults: map[string]any{"friendly_name": nil, "unique_name": nil, "channel_optimized_routing": false},
		// The ready-made channels are Default/default, Chat/chat and so on.
		complete: func(r *resource) {
			if r.data["unique_name"] == nil && r.name != "" {
				r.data["unique_name"] = strings.ReplaceAll(strings.ToLower(r.name), " ", "_")
			}
		},
	}
)

// render returns the resource as an answer has it; path is that of its listing,
// from the scheme on.
func (k *resourceKind) render(r *resource, path string) map[string]any {
	m := maps.Clone(k.defaults)
	maps.Copy(m, r.data)
	m["url"] = path + "/" + r.sid
	links := make(map[string]string, len(k.links))
	for name, last := range k.links {
		links[name] = path + "/" + r.sid + "/" + last
	}
	if k.prefix == "TC" { // its only link is to its workspace
		links["workspace"] = strings.TrimSuffix(path, "/TaskChannels")
	}
	m["links"] = links
	return m
}
