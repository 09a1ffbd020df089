package console

import (
	"net/http"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

type groupsView struct {
	Rows   []db.ClientGroup
	Ruled  map[id.Group]bool // has a policy of its own
	Name   string
	Errors fieldErrors
}

// groups lists the groups of clients that can share a policy.
func (c *Console) groups(w http.ResponseWriter, r *http.Request) error {
	return c.showGroups(w, r, http.StatusOK, groupsView{})
}

func (c *Console) showGroups(w http.ResponseWriter, r *http.Request, status int, view groupsView) error {
	ctx := r.Context()
	var err error
	if view.Rows, err = c.Reminder.ClientGroups(ctx); err != nil {
		return err
	}
	policies, err := c.Reminder.Policies(ctx)
	if err != nil {
		return err
	}
	view.Ruled = map[id.Group]bool{}
	for _, p := range policies {
		view.Ruled[p.GroupID] = true
	}
	return c.show(w, r, status, rt(ctx, "nav.groups"), groupsPage(view))
}

func (c *Console) addGroup(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	view := groupsView{Name: r.PostFormValue("name")}
	_, err := c.Reminder.AddClientGroup(ctx, view.Name)
	if errs, ok := invalid(ctx, err); ok {
		view.Errors = errs
		return c.showGroups(w, r, http.StatusUnprocessableEntity, view)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "reminder.flash.group")
	return layout.Redirect(w, r, groupsPath)
}

// ruledBy is what of a client decides about its reminders, and the groups that it may be put into.
type ruledBy struct {
	Client db.Client
	Policy reminder.Policy
	Groups []db.ClientGroup
}

func (c *Console) ruledBy(r *http.Request, client db.Client) (ruledBy, error) {
	view := ruledBy{Client: client}
	var err error
	if view.Policy, err = c.Reminder.PolicyOf(r.Context(), client.ID); err != nil {
		return view, err
	}
	view.Groups, err = c.Reminder.ClientGroups(r.Context())
	return view, err
}

// own reports whether the client has a policy for itself.
func (v ruledBy) own() bool { return v.Policy.ClientID != 0 }

// group is the name of the group that the client is in, "" for none.
func (v ruledBy) group() string {
	for _, group := range v.Groups {
		if group.ID == v.Client.GroupID {
			return group.Name
		}
	}
	return ""
}

// options are the groups as choices; none is "".
func (v ruledBy) options(none string) []component.Option {
	options := []component.Option{{Value: "", Label: none}}
	for _, group := range v.Groups {
		options = append(options, component.Option{Value: group.ID.String(), Label: group.Name})
	}
	return options
}

// setClientGroup puts a client into a group, or ("") takes it out.
func (c *Console) setClientGroup(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	client, err := c.client(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	groupID := id.Group(0)
	if r.PostFormValue("group") != "" {
		groupID, err = formID(r, "group", id.ParseGroup)
	}
	if err == nil {
		err = c.Reminder.SetClientGroup(ctx, client.ID, groupID)
	}
	if _, ok := invalid(ctx, err); ok {
		return c.showClient(w, r, http.StatusUnprocessableEntity, client, clientForms{})
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "console.flash.saved")
	return layout.Redirect(w, r, clientPath(client.ID))
}

// groupValue is the choice that is in force.
func groupValue(v ruledBy) string {
	if v.Client.GroupID == 0 {
		return ""
	}
	return v.Client.GroupID.String()
}
