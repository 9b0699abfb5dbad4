"""Writes shop.sql: the database of a shop for house and garden that never was. The same bytes on every run.

    python specs/sql-generator/make_shop.py [FILE]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random

TABLES = {
    "customers": "id INTEGER PRIMARY KEY, name TEXT, email TEXT, city TEXT, country TEXT, segment TEXT, "
                 "signup_date TEXT",
    "categories": "id INTEGER PRIMARY KEY, name TEXT, department TEXT",
    "suppliers": "id INTEGER PRIMARY KEY, name TEXT, country TEXT, rating REAL",
    "products": "id INTEGER PRIMARY KEY, name TEXT, category_id INTEGER REFERENCES categories, "
                "supplier_id INTEGER REFERENCES suppliers, price REAL, stock INTEGER, material TEXT, weight REAL",
    "employees": "id INTEGER PRIMARY KEY, name TEXT, position TEXT, salary INTEGER, hire_date TEXT",
    "orders": "id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers, "
              "employee_id INTEGER REFERENCES employees, order_date TEXT, status TEXT, channel TEXT, value REAL",
    "order_items": "id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders, "
                   "product_id INTEGER REFERENCES products, quantity INTEGER, discount INTEGER",
    "payments": "id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders, method TEXT, amount REAL, "
                "payment_date TEXT",
    "reviews": "id INTEGER PRIMARY KEY, product_id INTEGER REFERENCES products, "
               "customer_id INTEGER REFERENCES customers, stars INTEGER, review_date TEXT",
    "returns": "id INTEGER PRIMARY KEY, order_item_id INTEGER REFERENCES order_items, reason TEXT, return_date TEXT, "
               "refund REAL",
}
FIRST = (
    "Ada", "Amir", "Anna", "Bela", "Bruno", "Carla", "Chen", "Clara", "Dario", "Elena", "Emil", "Farah", "Felix",
    "Greta", "Hana", "Hugo", "Ida", "Ivan", "Jonas", "Julia", "Kofi", "Lara", "Leon", "Lina", "Luca", "Maja", "Marco",
    "Maria", "Milan", "Nadia", "Nils", "Nora", "Omar", "Paul", "Petra", "Rosa", "Samir", "Sofia", "Tara", "Tom",
    "Yara", "Zoe",
)
LAST = (
    "Abadi", "Becker", "Berg", "Costa", "Diaz", "Duarte", "Eriksen", "Fischer", "Fontana", "Garcia", "Haas", "Horvat",
    "Ito", "Jansen", "Keller", "Kovacs", "Larsen", "Lopez", "Maier", "Marino", "Meyer", "Moreau", "Nowak", "Okafor",
    "Olsen", "Patel", "Petrov", "Rossi", "Sato", "Schmidt", "Silva", "Suzuki", "Tanaka", "Torres", "Vidal", "Weber",
    "Wolf", "Yilmaz",
)
CITIES = {
    "Berlin": "Germany", "Hamburg": "Germany", "Munich": "Germany", "Vienna": "Austria", "Graz": "Austria",
    "Paris": "France", "Lyon": "France", "Madrid": "Spain", "Seville": "Spain", "Rome": "Italy", "Milan": "Italy",
    "Oslo": "Norway", "Lisbon": "Portugal", "Warsaw": "Poland",
}
CATEGORIES = {
    "Chairs": "Furniture", "Tables": "Furniture", "Shelves": "Furniture", "Lamps": "Home", "Rugs": "Home",
    "Kitchenware": "Home", "Bedding": "Home", "Garden Tools": "Garden", "Planters": "Garden", "Grills": "Garden",
    "Hand Tools": "Workshop", "Power Tools": "Workshop",
}
THINGS = {
    "Chairs": "Chair Stool Armchair Bench", "Tables": "Table Desk Sideboard Counter",
    "Shelves": "Shelf Bookcase Rack Cabinet", "Lamps": "Lamp Lantern Spotlight Chandelier",
    "Rugs": "Rug Mat Runner Carpet",
    "Kitchenware": "Pan Kettle Bowl Pitcher", "Bedding": "Blanket Pillow Quilt Sheet",
    "Garden Tools": "Rake Spade Hoe Shears",
    "Planters": "Planter Pot Trough Basket", "Grills": "Grill Smoker Firepit Oven",
    "Hand Tools": "Hammer Chisel Plane Wrench", "Power Tools": "Drill Sander Saw Grinder",
}
STYLES = (
    "Alto", "Bora", "Cedar", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Indigo", "Juniper", "Kelp", "Lumen",
    "Maple", "Nimbus", "Onyx", "Prairie", "Quartz",
)
MATERIALS = ("oak", "pine", "steel", "cotton", "wool", "ceramic", "glass", "bamboo")
SUPPLIERS = (
    "Nordhaus", "Casa Lima", "Atelier Brun", "Ferro Works", "Alpina", "Tramontana", "Green Loop", "Silver Birch",
    "Oak and Iron", "Porto Home", "Kiln House", "Baltic Wood", "Sunfield", "Stonegate", "Loomcraft", "Verde",
)
POSITIONS = {"clerk": 2400, "adviser": 2900, "buyer": 3400, "manager": 4600}
LANDS = ("Germany", "Italy", "Poland", "Portugal", "Norway")
REASONS = ("damaged", "wrong item", "too late", "wrong size", "poor quality")
DAY = date(2023, 1, 1)
Line = tuple[object, ...]


def people(draw: Random, count: int) -> list[str]:
    """Different full names."""
    return draw.sample([f"{first} {last}" for first in FIRST for last in LAST], count)


def day(draw: Random, first: int, last: int) -> str:
    """A date, so many days at least and at most after the first one."""
    return (DAY + timedelta(days=draw.randint(first, last))).isoformat()


def later(draw: Random, start: object, most: int) -> str:
    """A date at most so many days after another."""
    return (date.fromisoformat(str(start)) + timedelta(days=draw.randint(1, most))).isoformat()


def who_and_what(draw: Random) -> dict[str, list[Line]]:
    """The tables that nothing has happened to yet."""
    customers = []
    for number, name in enumerate(people(draw, 180), 1):
        city = draw.choice(list(CITIES))
        email = None if draw.random() < 0.12 else f"{name.replace(' ', '.').lower()}@example.com"
        segment = draw.choices(("private", "business", "wholesale"), (70, 22, 8))[0]
        customers.append((number, name, email, city, CITIES[city], segment, day(draw, 0, 500)))
    categories = [(number, name, kind) for number, (name, kind) in enumerate(CATEGORIES.items(), 1)]
    suppliers = [(number, name, draw.choice(LANDS), draw.randint(25, 50) / 10)
                 for number, name in enumerate(SUPPLIERS, 1)]
    names = [(f"{style} {thing}", place) for place, kind in enumerate(CATEGORIES, 1) for thing in THINGS[kind].split()
             for style in STYLES]
    products = [(number, name, place, draw.randint(1, len(SUPPLIERS)), round(draw.uniform(6, 60) ** 1.4, 2),
                 draw.choice((0, draw.randint(1, 60), draw.randint(20, 300))), draw.choice(MATERIALS),
                 round(draw.uniform(0.2, 40), 1)) for number, (name, place) in enumerate(draw.sample(names, 130), 1)]
    employees = []
    for number, name in enumerate(people(draw, 24), 1):
        position = draw.choices(list(POSITIONS), (10, 7, 4, 2))[0]
        salary = POSITIONS[position] + 10 * draw.randint(0, 70)
        employees.append((number, name, position, salary, day(draw, -2000, 300)))
    return {"customers": customers, "categories": categories, "suppliers": suppliers, "products": products,
            "employees": employees}


def trade(draw: Random, made: dict[str, list[Line]]) -> None:
    """Orders with what they hold, and what was paid for them."""
    orders: list[Line] = []
    items: list[Line] = []
    payments: list[Line] = []
    for number in range(1, 621):
        customer = draw.choices(made["customers"][:150], range(150, 0, -1))[0]
        when = later(draw, customer[6], 600)
        status = draw.choices(("delivered", "shipped", "pending", "cancelled"), (66, 14, 12, 8))[0]
        value = 0.0
        for product in draw.sample(made["products"][:115], draw.choice((1, 1, 2, 2, 3, 4))):
            quantity, discount = draw.choice((1, 1, 1, 2, 3, 4, 6)), draw.choice((0, 0, 0, 5, 10, 20))
            value += quantity * float(str(product[4])) * (100 - discount) / 100
            items.append((len(items) + 1, number, product[0], quantity, discount))
        orders.append((number, customer[0], draw.randint(1, 20), when, status, draw.choice(("web", "store", "phone")),
                       round(value, 2)))
        if status in ("delivered", "shipped") or draw.random() < 0.2:
            method = draw.choices(("card", "transfer", "invoice", "cash"), (50, 25, 18, 7))[0]
            payments.append((len(payments) + 1, number, method, round(value, 2), later(draw, when, 30)))
    made |= {"orders": orders, "order_items": items, "payments": payments}


def after(draw: Random, made: dict[str, list[Line]]) -> None:
    """What customers said of it, and what they sent back."""
    reviews = []
    for number in range(1, 341):
        order = draw.choice(made["orders"])
        stars = draw.choices((1, 2, 3, 4, 5), (6, 9, 18, 35, 32))[0]
        reviews.append((number, draw.randint(1, 105), order[1], stars, later(draw, order[3], 90)))
    back = sorted(draw.sample(made["order_items"], 96))
    returns = []
    for number, item in enumerate(back, 1):
        order = made["orders"][int(str(item[1])) - 1]
        reason, when = draw.choice(REASONS), later(draw, order[3], 40)
        returns.append((number, item[0], reason, when, round(draw.uniform(5, 300), 2)))
    made |= {"reviews": reviews, "returns": returns}


def script(made: dict[str, list[Line]]) -> Iterator[str]:
    """The lines of the SQL script."""
    for table, columns in TABLES.items():
        yield f"CREATE TABLE {table} ({columns});"
        rows = ["(" + ", ".join(map(literal, row)) + ")" for row in made[table]]
        yield f"INSERT INTO {table} VALUES"
        yield ",\n".join(rows) + ";"


def literal(value: object) -> str:
    """A value in SQL."""
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def main(path: Path) -> None:
    """Make the shop and write its script."""
    draw = Random(2026)
    made = who_and_what(draw)
    trade(draw, made)
    after(draw, made)
    path.write_text("\n".join(script(made)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("shop.sql"))
