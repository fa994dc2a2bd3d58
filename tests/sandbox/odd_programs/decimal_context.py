import decimal

print(decimal.getcontext().prec, decimal.Decimal(1) / 7)
decimal.getcontext().prec = 5
with decimal.localcontext() as context:
    context.prec = 10
    print(decimal.Decimal(1) / 7)
print(decimal.Decimal(1) / 7)
