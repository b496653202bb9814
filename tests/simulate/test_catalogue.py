"""The places, names and products of the made-up company hold together and belong to no real business."""

import tomllib
from importlib import resources
from itertools import product
from math import asin, cos, radians, sin, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis.simulate.world import parameters

CATALOGUE = tomllib.loads(
    (resources.files("kehu_analysis") / "simulate" / "catalogue.toml").read_text(encoding="utf-8"),
)
TOWNS, NAMES, CATEGORIES, PRODUCTS = (CATALOGUE[part] for part in ("towns", "names", "categories", "products"))
PLANTED = parameters()["assortment"]
SHOP_TYPES = ["便利店", "超市", "餐饮", "烟酒店", "批发"]
BY_ID = {entry["product_id"]: entry for entry in PRODUCTS}


def _words(text):
    return text.split()


# Chains of shops, restaurants and confectioners; a name that is an everyday word besides, such as 天天, is left out.
SHOP_BRANDS = _words(
    """
    永辉 大润发 家家悦 美宜佳 全家 罗森 天福 红旗 物美 华联 利群 银座 统一银座 振华 沃尔玛 盒马 苏果 家乐福 麦德龙
    山姆 开市客 奥乐齐 万家 华润 联华 世纪联华 农工商 可的 好德 快客 喜士多 十足 见福 唐久 易捷 昆仑好客 便利蜂
    每一天 芙蓉兴盛 新佳宜 中百 步步高 胖东来 丹尼斯 大张 永旺 伊藤洋华堂 欧尚 卜蜂莲花 易初莲花 人人乐 天虹 新世界
    百联 王府井 大商 新玛特 比优特 超市发 京客隆 首航 北国 信誉楼 佳农 潍百 中百佳乐家 佳乐家 全福元 银泰 青岛维客
    维客 新合作 万德隆 悦来悦喜 友客 橙子便利 京东 天猫 苏宁 国美 淘小店 叮咚 朴朴 零食很忙 赵一鸣 好想来 零食有鸣
    来优品 老婆大人 来伊份 良品铺子 百草味 三只松鼠 周黑鸭 绝味 煌上煌 久久丫 紫燕 沙县 蜜雪 正新 老乡鸡 永和 海底捞
    真功夫 肯德基 麦当劳 华莱士 德克士 必胜客 汉堡王 塔斯汀 赛百味 星巴克 瑞幸 库迪 古茗 茶百道 书亦 喜茶 奈雪
    沪上阿姨 霸王茶姬 甜啦啦 一点点 益禾堂 贡茶 张亮 杨国福 黄记煌 沈大成 刘一手 德庄 小龙坎 大龙燚 巴奴 呷哺 小肥羊
    东来顺 全聚德 狗不理 庆丰 老孙家 老凤祥 周大福 周六福 周生生 六福 老庙 大娘水饺 喜家德 吉祥馄饨 袁记云饺 袁记
    和府捞面 味千 阿香 李先生 老娘舅 乡村基 大米先生 西贝 外婆家 绿茶餐厅 太二 杨铭宇 曹氏 魏家凉皮 秦妈 老四川
    陶陶居 超意兴 杨小贤 鲍师傅 泸溪河 好利来 元祖 味多美 稻香村 桂发祥 知味观 五芳斋 采芝斋 北京同仁堂 同仁堂
    胡庆余堂 张一元 吴裕泰 酒仙 壹玖壹玖 华致 酒便利 名品世家 百果园 鲜丰 钱大妈 锅圈 巴比 三津 甘其食 小杨生煎
    谭鸭血 谭仔 付小姐 小谷姐姐 谢大姐 白家 方家铺子 谭家菜 顾家 宋嫂 老盛昌 老边饺子 李连贵 马兰拉面 大清花 小尾羊
    胡大 周麻婆 陈麻婆
    """,
)

# Makers and brands of drinks, snacks, sweets, liquor and other food.
PRODUCT_BRANDS = _words(
    """
    农夫山泉 怡宝 百岁山 景田 康师傅 统一 娃哈哈 冰露 崂山 恒大冰泉 昆仑山 依云 巴黎水 圣培露 西藏5100 5100 今麦郎
    凉白开 泉阳泉 长白雪 益力 阿尔山 趵突泉 可口可乐 百事 雪碧 芬达 七喜 美年达 醒目 激浪 非常可乐 崂山可乐 北冰洋
    健力宝 汾煌 天府可乐 山海关 大窑 冰峰 八王寺 宏宝莱 亚洲汽水 元气森林 屈臣氏 怡泉 名仁 正广和 汉口二厂 王老吉
    加多宝 和其正 东方树叶 三得利 茶π 立顿 尖叫 脉动 小茗同学 维他 阳光柠檬茶 汇源 美汁源 鲜橙多 果粒橙 味全
    农夫果园 水溶 果缤纷 都乐 佳果源 零度果坊 茹梦 喜多多 椰树 特种兵 养元 六个核桃 露露 银鹭 达利园 达利 优益C
    养乐多 红牛 东鹏 乐虎 体质能量 战马 魔爪 卡拉宝 佳得乐 宝矿力 外星人 力保健 启力 黑卡 中沃 够力 雀巢 贝纳颂 洽洽
    真心 恰恰 旺旺 乐事 可比克 品客 上好佳 好丽友 奥利奥 趣多多 徐福记 大白兔 阿尔卑斯 不凡帝 德芙 好时 费列罗
    士力架 金帝 金丝猴 喔喔 马大姐 雅客 盼盼 卫龙 麻辣王子 有友 王小卤 乡巴佬 盐津铺子 劲仔 甘源 沃隆 好想你
    楼兰蜜语 新边界 桃李 嘉士利 青食 钙奶 康师傅3+2 太平 张君雅 小浣熊 魔法士 小当家 白象 华龙 南街村 公仔 出前一丁
    农心 三养 陈克明 金沙河 自嗨锅 莫小仙 双汇 金锣 雨润 得利斯 喜旺 伊利 蒙牛 光明 三元 君乐宝 得益 佳宝 安慕希
    特仑苏 纯甄 金典 李子园 香飘飘 优乐美 喜之郎 蜡笔小新 亲亲 溜溜梅 华味亨 天喔 姚太太 口水娃 米老头 港荣 豪士
    无穷 老干妈 海天 李锦记 鲁花 金龙鱼 福临门 胡姬花 太太乐 王守义 王致和 六必居 老坛 饭扫光 阿宽 青岛啤酒 崂山啤酒
    雪花 燕京 哈尔滨 百威 喜力 茅台 五粮液 泸州老窖 洋河 剑南春 汾酒 郎酒 古井 习酒 今世缘 国台 牛栏山 红星 江小白
    景芝 扳倒井 兰陵 孔府家 泰山特曲 古贝春 琅琊台 张裕 长城 威龙 钟薛高 八喜 和路雪 沂蒙公社 欢乐家 龟田 波力
    格力高 乐天 不二家 悠哈 森永 明治 卡乐比 中街1946 德辉 冠生园 黄老五 白家陈记 老城南 张飞牛肉 棒棒娃 徐老幺
    """,
)
LATIN_BRANDS = _words(
    """
    coca-cola coke pepsi sprite fanta mirinda evian perrier nestle lipton redbull monster gatorade pocari oreo
    pringles lay's snickers mars hershey ferrero dove wahaha nongfu cestbon ganten wanglaoji jdb yanghe moutai
    tsingtao eastroc hi-tiger
    """,
)
BRANDS = SHOP_BRANDS + PRODUCT_BRANDS

NICKNAMES = sorted(
    {form.replace("{surname}", surname) for surname, form in product(NAMES["surnames"], NAMES["given"])},
)
SHORT_TOWNS = [town["short"] for town in TOWNS]
PLACES = [CATALOGUE["prefecture"]["name"], *(town[key] for town in TOWNS for key in ("name", "short", "district"))]


def brands_within(names, brands=BRANDS):
    """Return the brands that stand inside a name, and the names that stand inside a brand."""
    text, brand_text = "\n".join(names), "\n".join(brands)
    return {brand for brand in brands if brand in text} | {name for name in names if name in brand_text}


def brands_across(*parts, brands=BRANDS):
    """Return the brands inside any name made of one entry of each list in turn, without making the names.

    A brand reaches over the end of one entry, over whole entries and into the head of the last; millions of names
    are so searched in a moment.
    """
    heads = [{entry[:end] for entry in part for end in range(1, len(entry) + 1)} for part in parts]
    tails = [{entry[start:] for entry in part for start in range(len(entry))} for part in parts]
    found = {brand for part in parts for brand in brands if brand in "\n".join(part)}
    for brand in brands:
        # Places in the brand up to which the parts so far, from any of their entries on, can spell it.
        reached = set()
        for part, head, tail in zip(map(set, parts), heads, tails, strict=True):
            if any(brand[start:] in head for start in reached):
                found.add(brand)
            whole = {end for start in reached for end in range(start + 1, len(brand)) if brand[start:end] in part}
            reached = whole | {end for end in range(1, len(brand)) if brand[:end] in tail}
    return found


def distance_km(place, other):
    """Return the great-circle distance by the haversine formula, on a sphere of 6371 km."""
    latitude, other_latitude = radians(place["latitude"]), radians(other["latitude"])
    half_chord = (
        sin((other_latitude - latitude) / 2) ** 2
        + cos(latitude) * cos(other_latitude) * sin(radians(other["longitude"] - place["longitude"]) / 2) ** 2
    )
    return 2 * 6371 * asin(sqrt(half_chord))


# --- shape ----------------


def test_a_dozen_towns_lie_in_four_districts_of_three():
    districts = [town["district"] for town in TOWNS]
    assert len(TOWNS) == len({town["short"] for town in TOWNS}) == 12
    assert sorted(map(districts.count, set(districts))) == [3, 3, 3, 3]
    assert all(town["name"].removeprefix(town["short"]) in ("镇", "街道") for town in TOWNS)
    assert all(len(town["short"]) == 2 for town in TOWNS)


def test_the_towns_lie_within_reach_of_the_depot_and_the_seat_nearest():
    depot = CATALOGUE["prefecture"]["depot"]
    distances = [distance_km(depot, town) for town in TOWNS]
    seat = TOWNS[distances.index(min(distances))]["district"]
    assert 3 <= min(distances) <= max(distances) <= 80
    inside = [km for km, town in zip(distances, TOWNS, strict=True) if town["district"] == seat]
    assert max(inside) < min(km for km, town in zip(distances, TOWNS, strict=True) if town["district"] != seat)


def test_every_town_lies_nearest_to_the_middle_of_its_own_district():
    # Districts are whole areas, so no town stands as an island in another district.
    centres = {
        district: {
            axis: sum(town[axis] for town in TOWNS if town["district"] == district) / 3
            for axis in ("longitude", "latitude")
        }
        for district in {town["district"] for town in TOWNS}
    }
    strays = [
        town["name"]
        for town in TOWNS
        if town["district"] != min(centres, key=lambda district: distance_km(centres[district], town))
    ]
    assert strays == []


def test_the_depot_distance_is_measured_right():
    # One degree of a great circle on that sphere is 2 * pi * 6371 / 360 = 111.195 km.
    origin = {"longitude": 118.0, "latitude": 36.0}
    assert distance_km(origin, {"longitude": 118.0, "latitude": 37.0}) == pytest.approx(111.195, abs=0.001)


def test_weights_are_shares():
    groups = [TOWNS, *([p for p in PRODUCTS if p["category"] == c["code"]] for c in CATEGORIES)]
    for group in groups:
        assert all(0 < entry["weight"] < 0.5 for entry in group)
        assert sum(entry["weight"] for entry in group) == pytest.approx(1)


def test_there_are_enough_parts_for_a_million_names():
    streets = NAMES["streets"]
    for part, least in (("streets", 40), ("surnames", 80), ("given", 60)):
        assert len(set(NAMES[part])) == len(NAMES[part]) >= least
    assert list(NAMES["suffixes"]) == SHOP_TYPES
    combinations = [len(TOWNS) * len(streets) * len(NICKNAMES) * len(set(s)) for s in NAMES["suffixes"].values()]
    assert min(combinations) > 10_000_000


def test_the_categories_keep_a_year_and_five_tastes_of_mean_one():
    assert len({entry["code"] for entry in CATEGORIES}) == len(CATEGORIES) == 6
    for entry in CATEGORIES:
        assert len(entry["month_weights"]) == 12
        assert sum(entry["month_weights"]) / 12 == pytest.approx(1)
        assert list(entry["type_taste"]) == SHOP_TYPES
        assert sum(entry["type_taste"].values()) / 5 == pytest.approx(1)
        assert min(*entry["month_weights"], *entry["type_taste"].values()) > 0


def test_drinks_sell_in_summer_and_gifts_before_the_festivals():
    peaks = {
        entry["code"]: sorted(range(1, 13), key=lambda month: -entry["month_weights"][month - 1])
        for entry in CATEGORIES
    }
    assert set(peaks["water"][:2]) == set(peaks["carbonated"][:2]) == {7, 8}
    assert set(peaks["gift_confectionery"][:3]) == {1, 2, 9}


def test_sixty_products_stand_in_the_order_of_their_categories():
    assert [entry["product_id"] for entry in PRODUCTS] == [f"P{number:02d}" for number in range(1, 61)]
    codes = [entry["code"] for entry in CATEGORIES]
    assert [entry["category"] for entry in PRODUCTS] == [code for code in codes for _ in range(10)]
    assert len({entry["name"] for entry in PRODUCTS}) == len({entry["name_en"] for entry in PRODUCTS}) == 60
    assert len({entry["brand"] for entry in PRODUCTS}) == 8
    assert all(entry["name"].startswith(entry["brand"]) for entry in PRODUCTS)
    assert all(entry["name_en"].isprintable() and entry["name_en"].replace("×", "x").isascii() for entry in PRODUCTS)


def test_prices_leave_the_margin_of_the_category():
    margins = {entry["code"]: entry["margin"] for entry in CATEGORIES}
    for entry in PRODUCTS:
        price, cost = entry["list_price"], entry["unit_cost"]
        assert 24 <= price <= 260
        assert cost < price
        assert round(price, 2) == price
        assert round(cost, 2) == cost
        assert 1 - cost / price == pytest.approx(margins[entry["category"]], abs=0.02)


# --- what is planted ----------------


def test_no_product_has_two_planted_roles_or_sells_too_little_to_show_one():
    planted = [*(code for pair in PLANTED["pairs"] for code in pair), *PLANTED["substitutes"], *PLANTED["ladder"]]
    assert len(planted) == len(set(planted)) == 11
    assert all(BY_ID[code]["weight"] >= 0.1 for code in planted)


def test_planted_products_suit_their_role():
    assert all(BY_ID[one]["category"] != BY_ID[other]["category"] for one, other in PLANTED["pairs"])
    one, other = (BY_ID[code] for code in PLANTED["substitutes"])
    assert one["category"] == other["category"]
    assert one["brand"] != other["brand"]
    assert one["name"].removeprefix(one["brand"]) == other["name"].removeprefix(other["brand"])
    assert one["list_price"] == pytest.approx(other["list_price"], rel=0.05)
    ladder = [BY_ID[code] for code in PLANTED["ladder"]]
    assert {entry["category"] for entry in ladder} == {"energy"}
    assert [entry["list_price"] for entry in ladder] == sorted({entry["list_price"] for entry in ladder})


# --- no name belongs to a real business ----------------


@pytest.mark.parametrize(
    ("name", "caught"),
    [
        ("永辉超市", "永辉"),
        ("荻桥北街永辉超市", "永辉"),
        ("荻桥北街老孙家饭馆", "老孙家"),
        ("怡宝纯净水 550ml×24", "怡宝"),
        ("农夫", "农夫"),
    ],
)
def test_a_real_brand_would_be_caught(name, caught):
    assert brands_within([name]) == {caught}


@pytest.mark.parametrize(
    ("parts", "caught"),
    [
        ((["荻桥"], ["北街"], ["老周", "永辉"], ["超市"]), "永辉"),
        ((["荻桥"], ["北街"], ["老周", "老孙"], ["饭馆", "家常菜馆"]), "老孙家"),
        ((["荻桥"], ["北街"], ["长青", "长林"], ["食品商行"]), "青食"),
        ((["荻桥"], ["小"], ["杨"], ["生煎店"]), "小杨生煎"),
    ],
)
def test_a_real_brand_over_the_seam_of_two_parts_would_be_caught(parts, caught):
    assert brands_across(*parts) == {caught}


WORDS = st.text("甲乙丙", min_size=1, max_size=4)


@given(
    parts=st.lists(st.lists(WORDS, min_size=1, max_size=3), min_size=1, max_size=4),
    brands=st.lists(WORDS, min_size=1, max_size=4),
)
def test_the_search_over_parts_is_the_search_through_all_names(parts, brands):
    names = ["".join(entries) for entries in product(*parts)]
    assert brands_across(*parts, brands=brands) == {brand for brand in brands if any(brand in name for name in names)}


def test_the_lists_of_real_brands_are_long():
    assert len(set(SHOP_BRANDS)) >= 120
    assert len(set(PRODUCT_BRANDS)) >= 120


def test_no_place_is_a_real_brand():
    assert brands_within([*PLACES, *NAMES["streets"]]) == set()


@pytest.mark.parametrize("shop_type", SHOP_TYPES)
def test_no_shop_that_can_be_named_is_a_real_brand(shop_type):
    suffixes = [suffix + end for suffix in NAMES["suffixes"][shop_type] for end in ("", NAMES["branch"])]
    assert brands_across(SHORT_TOWNS, NAMES["streets"], NICKNAMES, suffixes) == set()
    # The other way round: no brand is the tail of a shop's name, such as 老周便利店 in a chain of that name.
    brand_text = "\n".join(BRANDS)
    assert [tail for tail in map("".join, product(NICKNAMES, suffixes)) if tail in brand_text] == []


def test_no_product_is_a_real_brand():
    assert brands_within([entry["name"] for entry in PRODUCTS]) == set()
    assert brands_within([entry["brand"] for entry in PRODUCTS]) == set()
    assert brands_within([entry["name_en"].lower() for entry in PRODUCTS], LATIN_BRANDS) == set()
