import time, statistics
from datetime import timedelta
from app import clock as c
from app.db import insert
from app.messages.models import Message
from app.messages.lifecycle import plans
from tests import factories
def test_prof(db, valkey):
    def rows(b,n):
        now=c.now()
        return [plans._row(b.id,"reminder",i,now+timedelta(hours=2*i),False,now) for i in range(1,n+1)]
    SLOT=plans._SLOT
    T=Message.__table__
    def orm(s,r): s.execute(insert(s,Message).on_conflict_do_nothing(**SLOT), r)
    def core(s,r): s.execute(insert(s,T).on_conflict_do_nothing(**SLOT), r)
    def values(s,r): s.execute(insert(s,T).values(r).on_conflict_do_nothing(**SLOT))
    def returning(s,r): s.execute(insert(s,T).on_conflict_do_nothing(**SLOT).returning(T.c.id), r).all()
    for n in (12,359):
      for f in (orm,core,values,returning):
        t=[]
        for i in range(15):
            with db.write() as s:
                b=factories.booking(s); r=rows(b,n)
                x=time.perf_counter(); f(s,r); t.append(time.perf_counter()-x)
        print(db.is_sqlite,n,f.__name__,round(statistics.median(t)*1000,2))
