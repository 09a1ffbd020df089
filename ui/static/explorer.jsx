// The GraphQL explorer: GraphiQL in <div id="explorer" data-endpoint="/graphql">.
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';
import './explorer.css';

// The editor's helpers run as workers from our own origin; the build puts their
// addresses in.
const workers = { json: JSON_WORKER, graphql: GRAPHQL_WORKER };
globalThis.MonacoEnvironment = {
  getWorker: (_id, label) => new Worker(workers[label] ?? EDITOR_WORKER, { name: label }),
};

const root = document.getElementById('explorer');
const fetcher = createGraphiQLFetcher({ url: root.dataset.endpoint });

createRoot(root).render(
  <GraphiQL fetcher={fetcher} defaultQuery={root.dataset.query} defaultEditorToolsVisibility shouldPersistHeaders={false}>
    <GraphiQL.Logo>
      <a href={root.dataset.home ?? '/'} className="explorer-logo">
        Avisa
      </a>
    </GraphiQL.Logo>
  </GraphiQL>,
);
