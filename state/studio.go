package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/sync/errgroup"

	"flexsync/internal/flexapi"
)

// Fetcher fetches single resources. It must be safe for concurrent use.
type Fetcher interface {
	Fetch(ctx context.Context, of flexapi.Collection, sid string) (flexapi.Answer, error)
}

// StudioFlow is a Studio flow as a fetch shows it.
type StudioFlow struct {
	Named
	Absent bool // the account does not have it
	Denied int  // the HTTP status, 401 or 403, if Studio may not be asked
	// Leads has the events that lead from a trigger to a next step, such as
	// "incomingConversationMessage".
	Leads map[string]bool
}

// FetchStudio fetches Studio flows with their definitions, concurrently and each
// once. That one does not exist, or that Studio may not be asked, is no error.
func (d *Directory) FetchStudio(ctx context.Context, f Fetcher, sids []string) error {
	flows := make([]StudioFlow, len(sids))
	accounts := make([]string, len(sids))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxListings)
	for i, sid := range sids {
		g.Go(func() error {
			answer, err := f.Fetch(ctx, collections[prefixStudioFlow].Collection, sid)
			var api *flexapi.Error
			if errors.As(err, &api) {
				switch api.Status {
				case http.StatusNotFound:
					flows[i].Absent = true
					return nil
				case http.StatusUnauthorized, http.StatusForbidden:
					flows[i].Denied = api.Status
					return nil
				}
			}
			if err == nil {
				flows[i], accounts[i], err = decodeStudioFlow(answer.Body)
			}
			if err != nil {
				return fmt.Errorf("fetch Studio flow %s, to check its trigger: %w", sid, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if d.studio == nil {
		d.studio = make(map[string]StudioFlow, len(sids))
	}
	for i, sid := range sids {
		d.studio[strings.ToLower(sid)] = flows[i]
		d.own(Owner{accounts[i], Noun(prefixStudioFlow)})
	}
	return nil
}

// StudioFlow returns a Studio flow that [Directory.FetchStudio] has fetched.
func (d *Directory) StudioFlow(sid string) (f StudioFlow, ok bool) {
	if d != nil {
		f, ok = d.studio[strings.ToLower(sid)]
	}
	return f, ok
}

// decodeStudioFlow reads a Studio flow with its definition; one without has no
// triggers.
func decodeStudioFlow(body json.RawMessage) (f StudioFlow, account string, err error) {
	var item any
	if err := json.Unmarshal(body, &item); err != nil {
		return f, "", err
	}
	if f.Named, account, err = decodeNamed(prefixStudioFlow, "", item); err != nil {
		return f, "", err
	}
	var flow struct {
		Definition struct {
			States []struct {
				Type        string `json:"type"`
				Transitions []struct {
					Event string `json:"event"`
					Next  string `json:"next"`
				} `json:"transitions"`
			} `json:"states"`
		} `json:"definition"`
	}
	if err := json.Unmarshal(body, &flow); err != nil {
		return f, "", fmt.Errorf("definition: %w", err)
	}
	f.Leads = make(map[string]bool)
	for _, s := range flow.Definition.States {
		for _, t := range s.Transitions {
			if s.Type == "trigger" && t.Next != "" {
				f.Leads[t.Event] = true
			}
		}
	}
	return f, account, nil
}
