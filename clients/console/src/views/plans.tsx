// Constraint migrations under review, the newest first.
import type { Plan } from "@holdfast/core_pb";
import { useState } from "preact/hooks";
import { dateOf, shortId } from "../format";
import { useLoad } from "../load";
import { Action } from "../parts/actions";
import { Await, Badge, Copyable, Empty, Scroll, Time } from "../parts/parts";
import { A, navigate, pathOf } from "../router";
import { plans } from "../service";
import { planState } from "../words";

export function Plans() {
  return (
    <>
      <div class="page-head">
        <div>
          <h1>Plans</h1>
          <p class="lead">What would be changed, step by step, before anything is.</p>
        </div>
      </div>
      <PlanList />
    </>
  );
}

const PAGE = 50;

export function PlanList({ database = "" }: { database?: string }) {
  const [size, setSize] = useState(PAGE);
  const loaded = useLoad(`plans/${database}/${size}`, (signal) => plans.listPlans({ database, pageSize: size }, { signal }), () => 30_000);
  const make = async () => {
    const made = await plans.createPlan({ database, requestId: crypto.randomUUID() });
    if (made.plan) navigate(pathOf(["plans", made.plan.id]));
  };
  return (
    <>
      {database && (
        <div class="bar-row">
          <Action database={database} permission="PLAN" label="Make a plan" run={make} />
        </div>
      )}
      <Await of={loaded} lines={5}>
        {(page) =>
          page.plans.length ? (
            <>
              <Table plans={page.plans} withDatabase={!database} />
              {page.nextPageToken && (
                <p class="more">
                  <button type="button" onClick={() => setSize(Math.min(1000, size * 4))}>
                    Show more
                  </button>
                </p>
              )}
            </>
          ) : (
            <Empty title="There is no plan yet.">
              <p>A plan says what would be changed, with every lock and every statement. Making one changes nothing.</p>
              <Copyable text={`holdfast plan ${database || "NAME"}`} />
            </Empty>
          )
        }
      </Await>
    </>
  );
}

function Table({ plans: list, withDatabase }: { plans: readonly Plan[]; withDatabase: boolean }) {
  return (
    <div class="card flush">
      <Scroll label="Plans">
        <table class="list stack">
          <thead>
            <tr>
              <th scope="col">Plan</th>
              {withDatabase && <th scope="col">Database</th>}
              <th scope="col">State</th>
              <th scope="col">Made</th>
              <th scope="col">Author</th>
              <th scope="col">Reviewer</th>
            </tr>
          </thead>
          <tbody>
            {list.map((plan) => (
              <tr key={plan.id}>
                <th scope="row">
                  <A href={pathOf(["plans", plan.id])} class="strong mono">
                    {shortId(plan.id)}
                  </A>
                </th>
                {withDatabase && (
                  <td data-label="Database">
                    <A href={pathOf(["databases", plan.database])}>{plan.database}</A>
                  </td>
                )}
                <td data-label="State">
                  <Badge of={planState(plan.state)} />
                </td>
                <td data-label="Made">
                  <Time at={dateOf(plan.createTime)} />
                </td>
                <td data-label="Author">{plan.author}</td>
                <td data-label="Reviewer">{plan.reviewer || <span class="faint">–</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </div>
  );
}
